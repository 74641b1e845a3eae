package review

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// A Record is one line of the log, as far as it is asked about.
type Record struct {
	Seq     uint64    `json:"seq"`
	Time    time.Time `json:"ts"`
	Node    string    `json:"node"`
	Kind    string    `json:"kind"`
	Ref     uint64    `json:"ref"`
	Session struct {
		ID, Listener, TLS, Client, App string
	} `json:"sess"`
	Who struct {
		Login, Role, Person string
	} `json:"who"`
	Why struct {
		Purpose, Ticket string
	} `json:"why"`
	Database struct {
		Server, Database string
	} `json:"db"`
	Statement struct {
		Command, Class, FP, Text, Hash string
		Sealed                         []byte
	} `json:"stmt"`
	Objects  []Object `json:"obj"`
	Decision struct {
		Verdict, Code, Reason string
	} `json:"decision"`
	Result struct {
		OK                  bool
		SQLState, Ended     string
		Rows, Bytes, Masked int64
		Micros              int64 `json:"us"`
		MaskedCells         int64 `json:"masked_cells"`
	} `json:"result"`
	Subjects struct {
		N    int
		Keys []string
		More int
	} `json:"subj"`
	Gap struct {
		Count  uint64
		Reason string
	}
	Detail map[string]string `json:"detail"`
}

// An Object is a labelled column of a statement.
type Object struct {
	Column   string `json:"column"`
	Class    string `json:"class"`
	Level    string `json:"level"`
	In       string `json:"in"`
	Released string `json:"released"`
}

// parse reads a line.
func parse(line []byte) (r Record, err error) {
	err = json.Unmarshal(line, &r)
	return r, err
}

// outcome reports whether the record completes an earlier one.
func (r *Record) outcome() bool {
	return r.Ref != 0 && (r.Kind == "query.end" || r.Kind == "copy.end")
}

// detail is what a record that is no statement tells beside its fields. Notes
// and keys are not for reading.
func (r *Record) detail() string {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(r.Detail)) {
		if key != "note" && key != "sealed" && r.Detail[key] != "" {
			parts = append(parts, key+"="+r.Detail[key])
		}
	}
	if r.Gap.Reason != "" {
		parts = append(parts, fmt.Sprintf("%s count=%d", r.Gap.Reason, r.Gap.Count))
	}
	text := strings.Join(parts, " ")
	return text[:min(len(text), mostDetail)]
}

// mostDetail is how much of it is kept.
const mostDetail = 500

// address is the client's without its port.
func (r *Record) address() string {
	if a, err := netip.ParseAddrPort(r.Session.Client); err == nil {
		return a.Addr().Unmap().String()
	}
	return r.Session.Client
}

// table is the column's name without its last part. A part that holds a dot is
// in quotes.
func (o *Object) table() string {
	quoted, cut := false, -1
	for i := range len(o.Column) {
		switch o.Column[i] {
		case '"':
			quoted = !quoted
		case '.':
			if !quoted {
				cut = i
			}
		}
	}
	if cut < 0 {
		return o.Column
	}
	return o.Column[:cut]
}

// subjectHash is what the index keeps of a subject's key: its first 48 bits.
func subjectHash(key string) (hash uint64, ok bool) {
	var raw [6]byte
	if len(key) < 2*len(raw) {
		return 0, false
	}
	if _, err := hex.Decode(raw[:], []byte(key[:2*len(raw)])); err != nil {
		return 0, false
	}
	for _, b := range raw {
		hash = hash<<8 | uint64(b)
	}
	return hash, true
}

// network is the part of an address that one office shares.
func network(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	bits := 64
	if a.Is4() {
		bits = 24
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return address
	}
	return p.String()
}

// one is text without repeated spaces, for a cell of a table.
func one(text string) string { return strings.Join(strings.Fields(text), " ") }
