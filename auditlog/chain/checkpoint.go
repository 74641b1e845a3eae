package chain

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// KeyName is the name under which logs are signed.
const KeyName = "sqlveil-audit"

// A Checkpoint says that the first Size lines of a segment have a certain root.
type Checkpoint struct {
	Log     string // the log's random name
	Segment string
	Size    uint64
	Root    tlog.Hash
	Seq     uint64 // of the last line covered
	Line    Digest // of that line
	Time    time.Time
}

// Sign returns the checkpoint as a signed note.
func (c *Checkpoint) Sign(signer note.Signer) ([]byte, error) {
	return note.Sign(&note.Note{Text: c.text()}, signer)
}

func (c *Checkpoint) text() string {
	return fmt.Sprintf("%s/%s/%s\n%d\n%s\nseq %d\nline %x\ntime %s\n",
		KeyName, c.Log, c.Segment, c.Size, base64.StdEncoding.EncodeToString(c.Root[:]),
		c.Seq, c.Line[:], c.Time.UTC().Format(time.RFC3339))
}

var errCheckpoint = errors.New("malformed checkpoint")

// OpenCheckpoint checks the signature of a note and reads it.
func OpenCheckpoint(signed []byte, verifier note.Verifier) (*Checkpoint, error) {
	n, err := note.Open(signed, note.VerifierList(verifier))
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	for _, sig := range n.Sigs {
		// The last sign of base64 has bits that mean nothing: only zeros are ours.
		if _, err := base64.StdEncoding.Strict().DecodeString(sig.Base64); err != nil {
			return nil, errCheckpoint
		}
	}
	c, err := parseCheckpoint(n.Text)
	if err != nil {
		return nil, err
	}
	if c.text() != n.Text {
		return nil, errCheckpoint
	}
	return c, nil
}

func parseCheckpoint(text string) (*Checkpoint, error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 7 || lines[6] != "" {
		return nil, errCheckpoint
	}
	origin := strings.Split(lines[0], "/")
	if len(origin) != 3 || origin[0] != KeyName {
		return nil, errCheckpoint
	}
	c := &Checkpoint{Log: origin[1], Segment: origin[2]}
	size, err1 := strconv.ParseUint(lines[1], 10, 63)
	root, err2 := base64.StdEncoding.DecodeString(lines[2])
	seq, err3 := strconv.ParseUint(strings.TrimPrefix(lines[3], "seq "), 10, 63)
	line, err4 := hex.DecodeString(strings.TrimPrefix(lines[4], "line "))
	at, err5 := time.Parse(time.RFC3339, strings.TrimPrefix(lines[5], "time "))
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		return nil, fmt.Errorf("%w: %w", errCheckpoint, err)
	}
	if len(root) != len(c.Root) || len(line) != len(c.Line) {
		return nil, errCheckpoint
	}
	c.Size, c.Seq, c.Time = size, seq, at
	copy(c.Root[:], root)
	copy(c.Line[:], line)
	return c, nil
}
