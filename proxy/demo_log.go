package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"sqlveil/auditlog/segment"
)

// verify ends the gateway and lets `sqlveil audit verify` judge its log.
func (d *demo) verify(ctx context.Context, to io.Writer) error {
	d.stop()
	err := <-d.ended
	d.ended = nil
	if err != nil {
		return err
	}
	fmt.Fprintln(to, "\nEvery value above is what the policy says. The audit log:")
	if code := run(ctx, []string{"audit", "verify", filepath.Join(d.directory, "audit")}, to, to); code != exitOK {
		return errors.New("the audit log does not verify")
	}
	return nil
}

// followEvery is how often the demo looks for new records.
const followEvery = 200 * time.Millisecond

// follow prints the records of statements, those to come too, until ctx ends.
func (d *demo) follow(ctx context.Context, to io.Writer) error {
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	position := logPosition{directory: filepath.Join(d.directory, "audit")}
	for {
		if err := position.read(func(line []byte) { printRecord(to, line) }); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case err := <-d.ended:
			d.ended = nil
			return err
		case <-tick.C:
		}
	}
}

// A logPosition is how far an audit log has been read.
type logPosition struct {
	directory string
	name      string // of the segment, which are named in their order
	offset    int64
}

// read hands over the complete lines that were added since the last call.
func (p *logPosition) read(each func(line []byte)) error {
	files, err := segment.List(p.directory)
	if err != nil {
		return err
	}
	for _, file := range files {
		if file.Name < p.name {
			continue
		}
		if file.Name != p.name {
			p.name, p.offset = file.Name, 0
		}
		if err := p.readSegment(file, each); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// readSegment reads on in one segment.
func (p *logPosition) readSegment(file segment.File, each func(line []byte)) error {
	in, err := segment.Open(file)
	if err != nil {
		return err
	}
	defer in.Close()
	if _, err := io.CopyN(io.Discard, in, p.offset); err != nil {
		return err
	}
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return nil // io.EOF: a line that is not complete yet is read next time
		}
		p.offset += int64(len(line))
		each(line)
	}
}

// A record is what the demo prints of one.
type record struct {
	Time     string `json:"ts"`
	Kind     string `json:"kind"`
	Who      struct{ Login, Role string }
	Stmt     struct{ Text string }
	Decision struct{ Verdict, Code string }
	Result   struct {
		Rows        int64
		MaskedCells int64 `json:"masked_cells"`
	}
}

// printRecord prints the records that tell of statements.
func printRecord(to io.Writer, line []byte) {
	var r record
	if err := json.Unmarshal(line, &r); err != nil {
		fmt.Fprintf(os.Stderr, "sqlveil: a record that is not JSON: %v\n", err)
		return
	}
	switch r.Kind {
	case "query.begin", "query.refuse":
		fmt.Fprintf(to, "  %s %-12s %s: %s %s %s\n", r.Time, r.Kind, r.Who.Login, r.Decision.Verdict, r.Decision.Code, r.Stmt.Text)
	case "query.end":
		fmt.Fprintf(to, "  %s %-12s %s: %d rows, %d cells masked\n", r.Time, r.Kind, r.Who.Login, r.Result.Rows, r.Result.MaskedCells)
	}
}
