package anchor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
)

// An Anchor keeps checkpoints. It is what package auditlog calls so.
type Anchor interface {
	Publish(ctx context.Context, signed []byte) error
	String() string
}

// Open returns the anchor of an address:
//
//	file:///var/backups/sqlveil      a directory, one file per checkpoint
//	https://example.org/checkpoints  a web server, which gets a POST
//	syslog://logs.example.org:514    RFC 5424 over UDP; syslog+tcp and syslog+tls likewise
//	syslog:///dev/log                the machine's own syslog
func Open(address string) (Anchor, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("anchor: %w", errors.Unwrap(err)) // the address may hold a password
	}
	switch u.Scheme {
	case "file":
		if u.Host != "" || !filepath.IsAbs(u.Path) {
			return nil, fmt.Errorf("anchor %s: want file:///, then the rest of a path", u.Redacted())
		}
		return &directory{path: filepath.Clean(u.Path)}, nil
	case "https", "http":
		if u.Host == "" {
			return nil, fmt.Errorf("anchor %s: no host", u.Redacted())
		}
		return newWebhook(u), nil
	case "syslog", "syslog+udp", "syslog+tcp", "syslog+tls":
		return newSyslog(u)
	}
	return nil, fmt.Errorf("anchor %q: the scheme is none of file, https, http, syslog, syslog+tcp, syslog+tls", u.Redacted())
}

// Directory returns the directory of an address that [Open] takes, when it is one.
func Directory(address string) (path string, ok bool) {
	a, err := Open(address)
	d, ok := a.(*directory)
	if err != nil || !ok {
		return "", false
	}
	return d.path, true
}

// marker precedes a checkpoint in a line of syslog, as a JSON string.
const marker = "sqlveil-checkpoint "

// Notes returns the checkpoints in a file that an anchor has kept: the file is
// one, or it has lines of syslog with some.
func Notes(text []byte) (notes [][]byte) {
	if !bytes.Contains(text, []byte(marker)) {
		return [][]byte{text}
	}
	for line := range strings.Lines(string(text)) {
		_, quoted, ok := strings.Cut(line, marker)
		if !ok {
			continue
		}
		var note string
		if err := json.NewDecoder(strings.NewReader(quoted)).Decode(&note); err == nil {
			notes = append(notes, []byte(note))
		}
	}
	return notes
}
