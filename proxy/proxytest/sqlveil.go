package proxytest

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"
)

// A Site is what a configuration of sqlveil with one listener is made from.
type Site struct {
	Protocol   string // "postgres" when empty
	Listen     string // "127.0.0.1:0" when empty
	Server     string // address of the server, reached without TLS
	Catalog    string // user of AddUser who reads table definitions
	Policy     string // the text of policy.yaml
	Durability string // of the audit log; "classified" when empty

	Certificate, Key string // files, for the clients that want TLS; none when empty
}

// Write writes the configuration and all that it names into a directory and
// returns the path of sqlveil.yaml.
func (s *Site) Write(dir string) (path string, err error) {
	key := make([]byte, 32)
	rand.Read(key) // never fails
	clients := ""
	if s.Certificate != "" {
		clients = fmt.Sprintf("\n    tls: {mode: prefer, certificate: %q, key: %q}", s.Certificate, s.Key)
	}
	files := map[string]string{
		"sqlveil.yaml":   fmt.Sprintf(siteConfig, cmp.Or(s.Protocol, "postgres"), cmp.Or(s.Listen, "127.0.0.1:0"), clients, s.Server, s.Catalog, cmp.Or(s.Durability, "classified")),
		"policy.yaml":    s.Policy,
		"masking.key":    base64.StdEncoding.EncodeToString(key) + "\n",
		"catalog.secret": Password(s.Catalog) + "\n",
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return "", err
		}
	}
	return filepath.Join(dir, "sqlveil.yaml"), nil
}

const siteConfig = `listeners:
  - name: crm
    protocol: %s
    listen: %s%s
    server: {address: "%s", tls: {mode: disable}}
    login: passthrough
    catalog: {user: %s, password_file: catalog.secret}
keys: {masking: masking.key}
policy: policy.yaml
audit: {directory: audit, durability: %s}
admin: {listen: 127.0.0.1:0}
`

// A Sqlveil is a running `sqlveil serve`.
type Sqlveil struct {
	Address string // of its listener
	Admin   string // of its admin server
	Process *os.Process

	cmd   *exec.Cmd
	ended chan struct{}
	log   serveLog
}

// BuildSqlveil builds the program from source into a file, with flags of go build.
func BuildSqlveil(path string, flags ...string) error {
	arguments := slices.Concat([]string{"build", "-o", path}, flags, []string{"sqlveil/proxy"})
	if out, err := exec.Command("go", arguments...).CombinedOutput(); err != nil {
		return fmt.Errorf("build sqlveil: %w: %s", err, out)
	}
	return nil
}

// StartSqlveil runs the program with a configuration that has an admin address,
// until Stop, and waits until it serves. The environment is added to ours.
func StartSqlveil(program, config string, environment []string, args ...string) (*Sqlveil, error) {
	s := &Sqlveil{cmd: exec.Command(program, append([]string{"serve", "-c", config}, args...)...), ended: make(chan struct{})}
	s.cmd.Env = append(os.Environ(), environment...)
	s.cmd.Stderr = &s.log
	s.cmd.SysProcAttr = Orphanless()
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	s.Process = s.cmd.Process
	go func() {
		defer close(s.ended)
		_ = s.cmd.Wait() // how it ended is in its state
	}()
	const patience = 2400 // two minutes: a test may run it on a machine in software
	for range patience {
		if s.Address, s.Admin = s.log.addresses(); s.Address != "" && s.Admin != "" {
			return s, nil
		}
		select {
		case <-s.ended:
			return nil, fmt.Errorf("sqlveil ended: %s", s.Log())
		case <-time.After(50 * time.Millisecond):
		}
	}
	return nil, errors.Join(fmt.Errorf("sqlveil does not serve: %s", s.Log()), s.Stop())
}

// Log is what it has logged so far.
func (s *Sqlveil) Log() string { return s.log.String() }

// Wait waits until it has ended and returns its exit code.
func (s *Sqlveil) Wait() int {
	<-s.ended
	return s.cmd.ProcessState.ExitCode()
}

// Stop asks it to end and waits; it is no error that it has ended already.
func (s *Sqlveil) Stop() error {
	if err := s.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	if code := s.Wait(); code != 0 {
		return fmt.Errorf("sqlveil ended with %d: %s", code, s.Log())
	}
	return nil
}

// A serveLog keeps the log of a Sqlveil, JSON lines.
type serveLog struct {
	mu   sync.Mutex
	text bytes.Buffer // guarded by mu
}

// Write never fails.
func (l *serveLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// String returns all of it.
func (l *serveLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// addresses finds where it says it serves.
func (l *serveLog) addresses() (listener, admin string) {
	for line := range bytes.SplitSeq([]byte(l.String()), []byte("\n")) {
		var entry struct{ Message, Address string }
		if json.Unmarshal(line, &entry) != nil {
			continue // not complete yet, or not of the log
		}
		switch entry.Message {
		case "serving":
			listener = entry.Address
		case "admin":
			admin = entry.Address
		}
	}
	return listener, admin
}
