package review

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"slices"
	"time"

	"sqlveil/auditlog/chain"
	"sqlveil/auditlog/segment"
)

// ErrNotFound says that there is no such record.
var ErrNotFound = errors.New("there is no record of this number")

// Lines calls f with the lines of the given records, in their order, as they
// stand in the log.
func Lines(ctx context.Context, dir string, seqs []uint64, f func(line []byte) error) error {
	wanted := slices.Compact(slices.Sorted(slices.Values(seqs)))
	files, err := segment.List(dir)
	if err != nil {
		return err
	}
	for i, file := range files {
		n := len(wanted)
		if i+1 < len(files) {
			n, _ = slices.BinarySearchFunc(wanted, files[i+1].Name, func(seq uint64, name string) int {
				return bytes.Compare([]byte(segment.Name(seq)), []byte(name))
			})
		}
		if n == 0 {
			continue
		}
		if err := linesOf(ctx, file, wanted[:n], f); err != nil {
			return err
		}
		wanted = wanted[n:]
	}
	return nil
}

func linesOf(ctx context.Context, file segment.File, wanted []uint64, f func(line []byte) error) error {
	r, err := segment.Open(file)
	if err != nil {
		return err
	}
	err = segment.Lines(r, func(_ int, line []byte) error {
		if len(wanted) == 0 {
			return errEnough
		}
		l, err := chain.Parse(line)
		if err != nil || l.Seq < wanted[0] {
			return ctx.Err()
		}
		for len(wanted) > 0 && l.Seq > wanted[0] {
			wanted = wanted[1:]
		}
		if len(wanted) > 0 && l.Seq == wanted[0] {
			wanted = wanted[1:]
			return f(line)
		}
		return nil
	})
	if errors.Is(err, errEnough) || errors.Is(err, segment.ErrTorn) {
		err = nil
	}
	return errors.Join(err, r.Close())
}

// Story returns the line of a record and that of its outcome or, of an outcome,
// the line of what it completes and its own.
func Story(ctx context.Context, dir string, seq uint64) (lines [][]byte, err error) {
	err = Lines(ctx, dir, []uint64{seq}, func(line []byte) error {
		lines = append(lines, bytes.Clone(line))
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(lines) == 0 {
		return nil, ErrNotFound
	}
	// An outcome follows soon as a rule: look for it in the same and the next
	// segments, as long as the session lives.
	first, err := parse(lines[0])
	if err != nil {
		return nil, err
	}
	if first.outcome() {
		return lines, Lines(ctx, dir, []uint64{first.Ref}, func(line []byte) error {
			lines = append([][]byte{bytes.Clone(line)}, lines...)
			return nil
		})
	}
	needle := fmt.Appendf(nil, `,"ref":%d,`, seq)
	err = after(ctx, dir, seq, storySegments, func(line []byte) error {
		if bytes.Contains(line, needle) {
			lines = append(lines, bytes.Clone(line))
			return errEnough
		}
		return nil
	})
	return lines, err
}

// storySegments is how many segments are searched for an outcome.
const storySegments = 3

// after calls f with the lines from a record's segment on, of that many segments
// at most, until f has seen enough.
func after(ctx context.Context, dir string, seq uint64, most int, f func(line []byte) error) error {
	files, err := segment.List(dir)
	if err != nil {
		return err
	}
	name := segment.Name(seq)
	from := 0
	for i := range files {
		if files[i].Name <= name {
			from = i
		}
	}
	for _, file := range files[from:min(len(files), from+most)] {
		r, err := segment.Open(file)
		if err != nil {
			return err
		}
		err = segment.Lines(r, func(_ int, line []byte) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return f(line)
		})
		if err := r.Close(); err != nil {
			return err
		}
		if errors.Is(err, errEnough) {
			return nil
		}
		if err != nil && !errors.Is(err, segment.ErrTorn) {
			return err
		}
	}
	return nil
}

// Export calls f with the lines of rows and of their outcomes, in their order.
func Export(ctx context.Context, dir string, rows []Row, f func(line []byte) error) error {
	if len(rows) == 0 {
		return nil
	}
	wanted := make(map[uint64]bool, len(rows))
	open, last := 0, uint64(0) // outcomes still to come, and the last row
	for i := range rows {
		wanted[rows[i].Seq] = rows[i].Done
		last = max(last, rows[i].Seq)
		if rows[i].Done {
			open++
		}
	}
	needle := []byte(`,"ref":`)
	return after(ctx, dir, rows[0].Seq, math.MaxInt32, func(line []byte) error {
		l, err := chain.Parse(line)
		if err != nil {
			return nil //nolint:nilerr // left to verify
		}
		if l.Seq > last && open == 0 {
			return errEnough
		}
		_, own := wanted[l.Seq]
		if !own && bytes.Contains(line, needle) {
			r, err := parse(line)
			if err != nil || !r.outcome() || !wanted[r.Ref] {
				return err
			}
			open--
			own = true
		}
		if own {
			return f(line)
		}
		return nil
	})
}

// tailPause is how long Tail waits before it looks for more.
const tailPause = 200 * time.Millisecond

// Tail calls f with the last n lines of the log and, if follow is set, with
// every new one until ctx ends.
func Tail(ctx context.Context, dir string, n int, follow bool, f func(line []byte) error) error {
	last, name, offset, err := lastLines(dir, n)
	if err != nil {
		return err
	}
	for _, line := range last {
		if err := f(line); err != nil {
			return err
		}
	}
	for follow {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(tailPause):
		}
		if name, offset, err = more(dir, name, offset, f); err != nil {
			return err
		}
	}
	return nil
}

// lastLines returns the last lines and where they end.
func lastLines(dir string, n int) (lines [][]byte, name string, offset int64, err error) {
	files, err := segment.List(dir)
	if err != nil || len(files) == 0 {
		return nil, "", 0, err
	}
	name = files[len(files)-1].Name
	for i := len(files) - 1; i >= 0 && (len(lines) < n || i == len(files)-1); i-- {
		own, end, err := allLines(files[i], n-len(lines))
		if err != nil {
			return nil, "", 0, err
		}
		if i == len(files)-1 {
			offset = end
		}
		lines = append(own, lines...)
	}
	return lines, name, offset, nil
}

// allLines returns the last n lines of a segment and its length.
func allLines(file segment.File, n int) (lines [][]byte, end int64, err error) {
	r, err := segment.Open(file)
	if err != nil {
		return nil, 0, err
	}
	err = segment.Lines(r, func(_ int, line []byte) error {
		end += int64(len(line)) + 1
		if lines = append(lines, bytes.Clone(line)); len(lines) > 2*n+1024 {
			lines = slices.Clone(lines[len(lines)-n:])
		}
		return nil
	})
	if errors.Is(err, segment.ErrTorn) {
		err = nil
	}
	return lines[max(0, len(lines)-n):], end, errors.Join(err, r.Close())
}

// more calls f with the lines that have come since.
func more(dir, name string, offset int64, f func(line []byte) error) (string, int64, error) {
	files, err := segment.List(dir)
	if err != nil {
		return name, offset, err
	}
	for _, file := range files {
		if file.Name < name {
			continue
		}
		if file.Name > name {
			name, offset = file.Name, 0
		}
		if info, err := os.Stat(file.Path); err == nil && !file.Compressed && info.Size() == offset {
			continue
		}
		r, err := segment.Open(file)
		if errors.Is(err, fs.ErrNotExist) {
			return name, offset, nil // just compressed: the next look finds it
		}
		if err != nil {
			return name, offset, err
		}
		err = skip(r, offset)
		if errors.Is(err, io.EOF) {
			err = nil
		}
		if err == nil {
			err = segment.Lines(r, func(_ int, line []byte) error {
				offset += int64(len(line)) + 1
				return f(line)
			})
		}
		if errors.Is(err, segment.ErrTorn) {
			err = nil
		}
		if err := errors.Join(err, r.Close()); err != nil {
			return name, offset, err
		}
	}
	return name, offset, nil
}

// TableOfLine puts one line in a table.
func TableOfLine(line []byte) (*Table, error) {
	r, err := parse(line)
	if err != nil {
		return nil, err
	}
	objects, err := r.objects()
	if err != nil {
		return nil, err
	}
	row := Row{
		Seq: r.Seq, Time: r.Time, Kind: r.Kind, Login: r.Who.Login, Person: r.Who.Person, Role: r.Who.Role,
		Command: r.Statement.Command, Text: r.Statement.Text, Verdict: r.Decision.Verdict, Code: r.Decision.Code,
		OK: r.Result.OK, Done: true, SQLState: r.Result.SQLState, Ended: r.Result.Ended, Rows: r.Result.Rows, Objects: objects, Detail: r.detail(),
	}
	return TableOf([]Row{row}), nil
}

// Sealed returns the sealed original text of a line, nil when it has none.
func Sealed(line []byte) ([]byte, error) {
	r, err := parse(line)
	if err != nil || r.Statement.Sealed == "" {
		return nil, err
	}
	return base64.StdEncoding.DecodeString(r.Statement.Sealed)
}
