package verify

import (
	"bytes"
	"crypto/rand"
	"os"
	"path/filepath"
	"testing"
	"time"

	"sqlveil/auditlog/chain"
	"sqlveil/auditlog/segment"
)

// A thief owns the disk and all keys of a proxy: the one that signs and the one
// that the next record would be authenticated with. What was written before is
// beyond it all the same: the auditor's key shows it in every line from the first
// changed one on, and what an anchor has kept shows it to everybody.
func TestThiefCannotChangeThePast(t *testing.T) {
	for name, forge := range map[string]func(t *testing.T, line []byte) []byte{
		"changed": func(_ *testing.T, line []byte) []byte { return bytes.Replace(line, []byte("ann"), []byte("bob"), 1) },
		"same":    func(_ *testing.T, line []byte) []byte { return line }, // but authenticated anew
	} {
		t.Run(name, func(t *testing.T) {
			l := newLog(t, 12) // one segment
			const changed = 8
			kept := head(t, l.dir)
			current := chain.Key{}
			rand.Read(current[:]) // any key but the one of that line: it is gone
			rewrite(t, l.dir, changed, current, func(line []byte) []byte { return forge(t, line) })

			mustBeWhole(t, l.dir, l.options(t)) // signatures and links alone are the thief's to make
			mustFind(t, l.dir, l.auditor(t), changed)
			o := l.options(t)
			if o.Anchored = [][]byte{kept}; check(t, l.dir, o).OK() {
				t.Error("an anchored checkpoint does not convict the thief")
			}
		})
	}
}

// rewrite changes a line of a log of one segment, authenticates it and those
// after it with a key, links them and signs the whole.
func rewrite(t *testing.T, dir string, number int, key chain.Key, change func([]byte) []byte) {
	t.Helper()
	file := files(t, dir)[0]
	all := lines(t, file.Path)
	signed, err := chain.OpenCheckpoint(head(t, dir), (&testLog{dir: dir}).options(t).Verifier)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := chain.LoadKeys(filepath.Join(dir, segment.KeyDirectory))
	if err != nil {
		t.Fatal(err)
	}
	hasher := chain.NewHasher()
	var tree chain.Tree
	link := chain.Link{Key: key}
	for i, line := range all {
		line = bytes.TrimSuffix(line, []byte("\n"))
		parsed, err := chain.Parse(line)
		if err != nil {
			t.Fatal(err)
		}
		if i+1 < number {
			link.Digest, _ = hasher.Hash(line)
			link.Seq = parsed.Seq + 1
		} else {
			body := line[:bytes.LastIndex(line, []byte(`,"prev":"`))]
			if i+1 == number {
				body = change(body)
			}
			link.Seq = parsed.Seq
			line = link.Close(hasher, bytes.Clone(body), 0)
			all[i] = append(line, '\n')
		}
		tree.Add(link.Digest)
	}
	put(t, file.Path, all...)
	signed.Root, signed.Line, signed.Time = tree.Root(), link.Digest, time.Now()
	note, err := signed.Sign(keys.Signer)
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, segment.HeadFile), note)
}

func head(t *testing.T, dir string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, segment.HeadFile))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// mustFind wants a line to be the first that is found.
func mustFind(t *testing.T, dir string, o Options, line int) {
	t.Helper()
	report := check(t, dir, o)
	if len(report.Findings) == 0 {
		t.Fatal("nothing is found")
	}
	if f := report.Findings[0]; f.Line != line {
		t.Errorf("first found is %s, want line %d", f, line)
	}
}
