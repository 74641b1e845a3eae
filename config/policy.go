package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sqlveil/masking"
)

// loadPolicy reads and compiles the policy.
func (l *loader) loadPolicy() {
	path := l.config.PolicyPath
	if path == "" {
		return
	}
	files, err := policyFiles(path)
	if err != nil {
		l.problem([]string{"policy"}, "%s: %s", path, fileError("read", err))
		return
	}
	if len(files) == 0 {
		l.problem([]string{"policy"}, "%s holds no *.yaml file", path)
		return
	}
	var m merger
	for _, file := range files {
		m.add(file)
	}
	l.problems = append(l.problems, m.problems...)
	if m.root == nil {
		return
	}
	var spec masking.Spec
	l.problems = append(l.problems, decode(m.root, &spec)...)
	policy, problems := masking.Compile(spec, l.maskingKey())
	l.config.Policy, l.config.Spec, l.config.policyRoot = policy, spec, m.root
	for _, p := range problems {
		if at := m.root.locate(p.Path); at != nil {
			problem := at.at(p.Message)
			problem.Warning = p.Warning
			l.problems = append(l.problems, problem)
		}
	}
}

// maskingKey is the key to compile with. A key that is named but could not be
// read was reported; another lets the rest of the policy be checked.
func (l *loader) maskingKey() []byte {
	if l.config.Keys.Masking != "" && l.config.Keys.MaskingKey == nil {
		return make([]byte, maskingKeyLength)
	}
	return l.config.Keys.MaskingKey
}

// policyFiles lists the files of a policy in the order in which they are read.
func policyFiles(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	entries, err := os.ReadDir(path) // in name order
	if err != nil {
		return nil, err
	}
	var files []string
	for _, entry := range entries {
		if strings.HasSuffix(entry.Name(), ".yaml") && !strings.HasPrefix(entry.Name(), ".") {
			files = append(files, filepath.Join(path, entry.Name()))
		}
	}
	return files, nil
}

// A merger puts the files of a policy together: classes, columns, roles and
// functions are united, lists are appended, and anything else may be said once.
type merger struct {
	root     *node
	problems []Problem
}

func (m *merger) add(file string) {
	data, err := os.ReadFile(file)
	if err != nil {
		m.problems = append(m.problems, Problem{File: file, Message: fileError("read", err)})
		return
	}
	n, problems := parseYAML(file, data)
	m.problems = append(m.problems, problems...)
	switch {
	case n == nil:
	case n.kind != mapping:
		m.problems = append(m.problems, n.problem("a policy is a mapping (key: value)"))
	case m.root == nil:
		m.root = n
	default:
		m.merge(m.root, n, true)
	}
}

// merge adds the keys of src to dst: mappings at the top are united, lists there
// and below are appended, except the levels, whose order only one file can know.
func (m *merger) merge(dst, src *node, top bool) {
	for _, p := range src.pairs {
		have := dst.pair(p.key.text)
		switch {
		case have == nil:
			dst.pairs = append(dst.pairs, p)
		case top && have.value.kind == mapping && p.value.kind == mapping:
			m.merge(have.value, p.value, false)
		case have.value.kind == sequence && p.value.kind == sequence && p.key.text != "levels":
			have.value.items = append(have.value.items, p.value.items...)
		case have.value.kind == scalar && p.value.kind == scalar && have.value.text == p.value.text && top:
		default:
			m.problems = append(m.problems, p.key.problem(
				fmt.Sprintf("%q is said already in %s:%d", p.key.text, have.key.file, have.key.line)))
		}
	}
}
