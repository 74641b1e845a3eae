package main

import "testing"

// fewStatements is how many statements the test sends, mostAnswered of a hundred
// of them must be answered: a proxy that refuses everything passes nothing.
const (
	fewStatements = 400
	mostAnswered  = 45
)

const seed = 11

// TestLab is a short run with a fixed seed, and what the run does not say: that it
// would see a leak, and that useful statements work.
func TestLab(t *testing.T) {
	l, err := newLab(t.Context(), seed)
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	t.Run("controls", func(t *testing.T) { controls(t, l) })
	t.Run("generated", func(t *testing.T) { generated(t, l) })
	t.Run("useful", func(t *testing.T) { usefulWork(t, l) })
}

// generated is a short run.
func generated(t *testing.T, l *lab) {
	t.Helper()
	done, err := l.run(t.Context(), seed, fewStatements)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(done)
	if done.answered*100 < done.statements*mostAnswered || done.withRows*10 < done.answered*8 {
		t.Errorf("too little was answered: %s", done)
	}
}

// controls makes sure that a leak would be seen: who sees everything sees tokens,
// in every spelling, and the databases differ.
func controls(t *testing.T, l *lab) {
	t.Helper()
	for _, column := range []string{
		"name", "mail", "phone", "memo", "pay", "account", "pin", "ratio", "born", "seen", "doc", "raw",
		"upper(name)", "reverse(mail)", "hex(raw)", "to_base64(name)", "low",
	} {
		for _, way := range ways {
			r := &run{lab: l}
			for _, database := range databases {
				c, err := dial(l.proxy.Address, "catalog", database)
				if err != nil {
					t.Fatal(err)
				}
				defer c.conn.Transport().Close()
				if err := way.send(c, "SELECT "+column+" FROM person"); err != nil {
					t.Fatal(err)
				}
				short := column == "pin" && way.name == "prepared" // four bytes could be anything: the difference tells
				if _, found := l.tokens.find(c.answer, nil); !found && !short {
					t.Errorf("%s %s: no token is found in %q", column, way.name, c.answer)
				}
				r.sessions = append(r.sessions, c)
			}
			if r.compare(way.name, column); len(r.leaks) != 1 {
				t.Errorf("%s %s: no difference is found", column, way.name)
			}
		}
	}
}
