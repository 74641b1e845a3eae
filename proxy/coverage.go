package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"sqlveil/config"
	"sqlveil/masking"
)

// compareWithDatabases warns of labels that name no column of the databases, and
// of columns that look sensitive and carry no label. A database that cannot be
// read is a warning too.
func compareWithDatabases(ctx context.Context, c *config.Config) []config.Problem {
	var columns []masking.Column
	var warnings []config.Problem
	whole := true // every database could be read
	for i := range c.Listeners {
		l := &c.Listeners[i]
		wire, ok := wires[l.Protocol]
		if !ok {
			whole = false
			continue
		}
		found, err := wire.columns(ctx, l)
		if err != nil {
			whole = false
			warnings = append(warnings, c.PolicyWarning(fmt.Sprintf("not compared with the database: %v", plainError(err)), "columns"))
		}
		columns = append(columns, found...)
	}
	if whole {
		warnings = append(warnings, emptyLabels(c, columns)...)
	}
	return append(warnings, bareColumns(c, columns)...)
}

// emptyLabels warns of labels that no column has.
func emptyLabels(c *config.Config, columns []masking.Column) []config.Problem {
	var warnings []config.Problem
	for _, pattern := range slices.Sorted(maps.Keys(c.Spec.Columns)) {
		alone := c.Spec
		alone.Columns = map[string]masking.ColumnSpec{pattern: c.Spec.Columns[pattern]}
		policy, _ := masking.Compile(alone, c.Keys.MaskingKey)
		if policy == nil {
			continue // what is wrong with it was said when it was loaded
		}
		if !slices.ContainsFunc(columns, func(column masking.Column) bool { _, ok := policy.Label(column); return ok }) {
			warnings = append(warnings, c.PolicyWarning(fmt.Sprintf("no column is called %s", pattern), "columns", pattern))
		}
	}
	return warnings
}

// mostBare is how many columns bareColumns names.
const mostBare = 20

// bareColumns warns of columns whose names say that they are sensitive and that
// no label covers.
func bareColumns(c *config.Config, columns []masking.Column) []config.Problem {
	var warnings []config.Problem
	for _, column := range columns {
		kind := sensitiveName(column.Name)
		if _, ok := c.Policy.Label(column); ok || kind == "" {
			continue
		}
		if len(warnings) == mostBare {
			return append(warnings, c.PolicyWarning("more columns look sensitive and have no label", "columns"))
		}
		warnings = append(warnings, c.PolicyWarning(fmt.Sprintf("%s looks like %s and has no label", column, kind), "columns"))
	}
	return warnings
}

// sensitiveWords are words of column names and the kind of data they speak of.
// Chinese ones are given in pinyin and its initials where these are unambiguous.
var sensitiveWords = map[string][]string{
	"a person's name":    {"full_name", "real_name", "cust_name", "first_name", "last_name", "xingming", "khxm", "姓名", "联系人", "法定代表人"},
	"a phone number":     {"mobile", "phone", "cellphone", "telephone", "shouji", "lxdh", "sjh", "sjhm", "手机", "手机号", "电话"},
	"an e-mail address":  {"email", "e_mail", "mail", "dzyx", "youxiang", "邮箱", "电子邮件"},
	"an identity number": {"id_card", "idcard", "id_no", "identity_no", "cert_no", "ssn", "social_security", "passport", "sfz", "sfzh", "sfzhm", "shenfenzheng", "zjhm", "身份证", "证件号码", "护照"},
	"a bank account":     {"bank_card", "bankcard", "card_no", "iban", "account_no", "pan", "yhkh", "银行卡号", "账号"},
	"an address":         {"address", "addr", "dizhi", "jtzz", "地址", "住址"},
	"a date of birth":    {"birthday", "birth_date", "birthdate", "dob", "csrq", "生日", "出生日期"},
	"an income":          {"salary", "wage", "income", "gongzi", "工资", "薪资"},
	"a secret":           {"password", "passwd", "pwd", "secret", "token", "api_key", "private_key", "mima", "密码", "口令"},
	"a place":            {"latitude", "longitude", "gps", "经度", "纬度"},
	"a network address":  {"client_ip", "ip_addr", "login_ip", "remote_addr"},
	"a health record":    {"diagnosis", "medical_record", "blood_type", "病历号"},
}

// sensitiveName says what kind of data a column's name speaks of, "" for none.
func sensitiveName(name string) string {
	padded := "_" + snake(name) + "_"
	for _, kind := range slices.Sorted(maps.Keys(sensitiveWords)) {
		for _, word := range sensitiveWords[kind] {
			if strings.Contains(padded, "_"+word+"_") || word[0] > 127 && strings.Contains(padded, word) {
				return kind
			}
		}
	}
	return ""
}

// snake writes camelCase and other spellings as words with underscores between.
func snake(name string) string {
	var out strings.Builder
	lower := false // the character before was one
	for _, r := range name {
		switch {
		case r >= 'A' && r <= 'Z':
			if lower {
				out.WriteByte('_')
			}
			out.WriteRune(r + 'a' - 'A')
		case strings.ContainsRune(" -.", r):
			out.WriteByte('_')
		default:
			out.WriteRune(r)
		}
		lower = r >= 'a' && r <= 'z'
	}
	return out.String()
}
