package auditlog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"sqlveil/auditlog/segment"
)

// A wrong clock must not empty the log: nothing is deleted for its age before
// the clock has run evenly for a while, and for longer when it was moved or is
// far from the newest record.
const (
	expireAfter = time.Hour
	expireDoubt = 7 * 24 * time.Hour
	suspicious  = 30 * 24 * time.Hour
)

// A Hold keeps segments from being deleted, whatever their age.
type Hold struct {
	Name   string    `json:"name"`
	Reason string    `json:"reason"`
	By     string    `json:"by"`
	Set    time.Time `json:"set"`
	From   time.Time `json:"from,omitzero"` // records from then on; zero: all
	To     time.Time `json:"to,omitzero"`   // records until then; zero: all
}

func (h *Hold) covers(e *segment.Entry) bool {
	return (h.From.IsZero() || !e.Until.Before(h.From)) && (h.To.IsZero() || !e.Since.After(h.To))
}

// Holds returns the legal holds on the log in a directory.
func Holds(dir string) ([]Hold, error) {
	text, err := os.ReadFile(filepath.Join(dir, segment.HoldsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var holds []Hold
	if err := json.Unmarshal(text, &holds); err != nil {
		return nil, fmt.Errorf("%s: %w", segment.HoldsFile, err)
	}
	return holds, nil
}

// Hold sets a legal hold, in place of one of the same name, and puts it on record.
func (l *Log) Hold(h Hold) error {
	return l.changeHolds("set", h, func(holds []Hold) ([]Hold, error) {
		return append(without(holds, h.Name), h), nil
	})
}

// Lift takes a legal hold back and puts that on record.
func (l *Log) Lift(name, by string) error {
	return l.changeHolds("lift", Hold{Name: name, By: by}, func(holds []Hold) ([]Hold, error) {
		left := without(holds, name)
		if len(left) == len(holds) {
			return nil, fmt.Errorf("there is no legal hold named %q", name)
		}
		return left, nil
	})
}

func without(holds []Hold, name string) []Hold {
	return slices.DeleteFunc(slices.Clone(holds), func(h Hold) bool { return h.Name == name })
}

func (l *Log) changeHolds(act string, h Hold, change func([]Hold) ([]Hold, error)) error {
	l.keeper.mu.Lock()
	defer l.keeper.mu.Unlock()
	holds, err := Holds(l.options.Directory)
	if err != nil {
		return err
	}
	if holds, err = change(holds); err != nil {
		return err
	}
	text, err := json.MarshalIndent(holds, "", "  ")
	if err != nil {
		return err
	}
	e := Event{Kind: LegalHold, Who: Who{Person: h.By}, Detail: []Detail{
		{"act", act}, {"name", h.Name}, {"reason", h.Reason}, {"from", moment(h.From)}, {"to", moment(h.To)},
	}}
	if _, err := l.Append(&e, true); err != nil {
		return err
	}
	return replaceFile(l.disk, l.path(segment.HoldsFile), text, true)
}

func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// expire deletes the segments whose time is over: whole ones, the oldest
// first, and none that is older than one under a hold.
func (k *keeper) expire(ctx context.Context) error {
	k.files.Lock()
	defer k.files.Unlock()
	k.mu.Lock()
	defer k.mu.Unlock()
	if time.Since(k.steady) < expireAfter {
		return nil
	}
	holds, err := Holds(k.log.options.Directory)
	if err != nil {
		return err
	}
	limit := k.log.options.now().AddDate(0, 0, -k.log.options.RetentionDays)
	entries := k.log.manifest.entries()
	for i := range entries {
		e := &entries[i]
		if e.Segment == "" || entries.Deleted(e.Segment) {
			continue
		}
		held := slices.ContainsFunc(holds, func(h Hold) bool { return h.covers(e) })
		if held || !e.Until.Before(limit) || ctx.Err() != nil {
			return ctx.Err()
		}
		if err := k.delete(e); err != nil {
			return fmt.Errorf("delete segment %s: %w", e.Segment, err)
		}
	}
	return nil
}

// delete puts the deletion on record, then in the manifest, then does it.
func (k *keeper) delete(e *segment.Entry) error {
	record := Event{Kind: Retention, Detail: []Detail{
		{"segment", e.Segment},
		{"first", strconv.FormatUint(e.First, 10)},
		{"last", strconv.FormatUint(e.Last, 10)},
		{"until", moment(e.Until)},
		{"days", strconv.Itoa(k.log.options.RetentionDays)},
		{"note", e.Note},
	}}
	if _, err := k.log.Append(&record, true); err != nil {
		return err
	}
	if err := k.log.manifest.add(segment.Entry{Deleted: e.Segment, At: k.log.options.now().UTC()}); err != nil {
		return err
	}
	for _, suffix := range []string{segment.Compressed, segment.Plain} {
		err := k.log.disk.Remove(k.log.path(e.Segment + suffix))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
