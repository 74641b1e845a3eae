package proxytest

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// supervise runs a server as the child of a shell that reads our end of a pipe.
// A line on the pipe ends the server; so does the end of the pipe, which the
// kernel provides when this process dies in whatever way, and then the server's
// directory is removed too. The server is thus never left behind.
//
// Arguments: directory, signal, command...
const supervise = `dir=$1; signal=$2; shift 2
exec 3<&0
"$@" </dev/null 3<&- &
child=$!
(
	read -r _ <&3 && keep=1
	kill -s "$signal" $child
	[ -n "$keep" ] && exit
	while kill -0 $child; do sleep 0.05; done
	rm -rf -- "$dir"
) >/dev/null 2>&1 &
wait $child`

// A process is one running server.
type process struct {
	cmd   *exec.Cmd
	leash io.WriteCloser // closing it ends the server
	log   *tail
	ended chan struct{} // closed when the server is gone
}

// startProcess starts command in dir as run; signal is what ends the server.
func startProcess(dir, signal string, run account, command ...string) (*process, error) {
	p := &process{log: new(tail), ended: make(chan struct{})}
	p.cmd = exec.Command("/bin/sh", append([]string{"-c", supervise, "sh", dir, signal}, command...)...)
	p.cmd.Dir = dir
	p.cmd.Env = run.environment()
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	p.cmd.SysProcAttr = run.attributes()
	var err error
	if p.leash, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", command[0], err)
	}
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait() // why it ended is in its log
	}()
	return p, nil
}

// stop ends the server and keeps its directory.
func (p *process) stop() {
	_, _ = io.WriteString(p.leash, "stop\n") // fails when the server is gone already
	<-p.ended
	_ = p.leash.Close()
}

// ready calls probe until it succeeds, the server ends or time is up.
func (p *process) ready(limit time.Duration, probe func() error) error {
	deadline := time.Now().Add(limit)
	for {
		err := probe()
		if err == nil {
			return nil
		}
		select {
		case <-p.ended:
			return fmt.Errorf("the server ended at once: %s", p.log.last(600))
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("not ready after %v: %w; its log: %s", limit, err, p.log.last(600))
		}
	}
}

// A tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	text []byte // guarded by mu
}

const tailSize = 256 << 10

// Write never fails.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if over := len(t.text) - tailSize; over > 0 {
		t.text = append(t.text[:0], t.text[over:]...)
	}
	return len(p), nil
}

// last returns at most n bytes of the end.
func (t *tail) last(n int) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.text[max(0, len(t.text)-n):]))
}

// An account is who a server runs as; the zero value is ourselves.
type account struct {
	name     string
	uid, gid uint32
}

// serverAccount returns the first of names that exists when we are root, and
// ourselves when we are not.
func serverAccount(names ...string) (account, error) {
	if os.Geteuid() != 0 {
		return account{}, nil
	}
	for _, name := range append(names, "nobody") {
		found, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(found.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(found.Gid, 10, 32)
		if err := errors.Join(err1, err2); err != nil {
			return account{}, err
		}
		return account{name: name, uid: uint32(uid), gid: uint32(gid)}, nil
	}
	return account{}, fmt.Errorf("running as root, and none of the users %v exists to run a server as", names)
}

// attributes makes a process of its own group (so that an interrupt typed at
// the terminal is ours alone to handle) that belongs to the account.
func (a account) attributes() *syscall.SysProcAttr {
	attributes := &syscall.SysProcAttr{Setpgid: true}
	if a.name != "" {
		attributes.Credential = &syscall.Credential{Uid: a.uid, Gid: a.gid}
	}
	return attributes
}

// environment is ours without what would steer the server or its tools.
func (a account) environment() []string {
	kept := []string{"LC_ALL=C", "TZ=UTC"}
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, "PG") && !strings.HasPrefix(name, "MYSQL") && !strings.HasPrefix(name, "LC_") && name != "TZ" {
			kept = append(kept, entry)
		}
	}
	return kept
}

// directory makes a temporary directory that the account owns.
func (a account) directory(pattern string) (string, error) {
	base := os.TempDir()
	if a.name != "" {
		base = "/tmp" // ours may be closed to others
	}
	dir, err := os.MkdirTemp(base, pattern)
	if err != nil {
		return "", err
	}
	return dir, a.own(dir)
}

// own gives a file to the account.
func (a account) own(path string) error {
	if a.name == "" {
		return nil
	}
	return os.Chown(path, int(a.uid), int(a.gid))
}

// write makes a file that only the account may read.
func (a account) write(dir, name, text string) error {
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return err
	}
	return a.own(path)
}

// run runs a tool to its end; its output is part of the error.
func (a account) run(dir string, command ...string) error {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir, cmd.Env, cmd.SysProcAttr = dir, a.environment(), a.attributes()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", filepath.Base(command[0]), err, strings.TrimSpace(string(out)))
	}
	return nil
}

// FreePort returns a TCP port of 127.0.0.1 that nothing listens on now.
func FreePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}
