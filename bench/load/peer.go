package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"sqlveil/bench"
)

// A peer is another program between clients and the server, in a process of its
// own so that its processor time can be told apart.
type peer struct {
	name    string
	address string
	cmd     *exec.Cmd
}

func (p *peer) process() int { return p.cmd.Process.Pid }

func (p *peer) stop() {
	_ = p.cmd.Process.Kill() // it may have ended
	_ = p.cmd.Wait()         // killed
}

// floor starts this program as a floor for a wire.
func floor(wire, name string) func(directory, target string) (*peer, error) {
	return func(_, target string) (*peer, error) {
		p := &peer{name: name, cmd: exec.Command(os.Args[0], "-floor", name, "-wire", wire, "-target", target)}
		out, err := p.cmd.StdoutPipe()
		if err != nil {
			return nil, err
		}
		if err := p.cmd.Start(); err != nil {
			return nil, err
		}
		address, err := bufio.NewReader(out).ReadString('\n')
		if err != nil {
			p.stop()
			return nil, fmt.Errorf("floor %s: %w", name, err)
		}
		p.address = strings.TrimSpace(address)
		return p, nil
	}
}

// beFloor relays until it is killed. Its first line of output is its address.
func beFloor(wire, name, target string) error {
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(socket.Addr())
	return bench.ServeFloor(socket, target, bench.Floors[wire][name])
}

const pgbouncerConfig = `[databases]
* = host=%s port=%s
[users]
sqlveil = pool_mode=session
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %s
unix_socket_dir =
auth_type = trust
auth_file = %s
client_tls_sslmode = allow
client_tls_cert_file = %s
client_tls_key_file = %s
pool_mode = %s
default_pool_size = %d
max_client_conn = %d
ignore_startup_parameters = extra_float_digits
log_connections = 0
log_disconnections = 0
`

// startPgBouncer starts PgBouncer with a server session for each client's.
func startPgBouncer(directory, target string) (*peer, error) {
	return pgbouncer(directory, target, "session", mostPeers)
}

// pgbouncer starts PgBouncer with at most so many server sessions for a user.
// https://www.pgbouncer.org/config.html
func pgbouncer(directory, target, mode string, pool int) (*peer, error) {
	users := filepath.Join(directory, "users.txt")
	if err := os.WriteFile(users, fmt.Appendf(nil, "%q \"\"\n%q \"\"\n%q \"\"\n", catalogUser, clearUser, maskedUser), 0o644); err != nil {
		return nil, err
	}
	return startPeer("pgbouncer", directory, func(port string) (string, error) {
		host, serverPort, err := net.SplitHostPort(target)
		certificate, key := listenerFiles(directory)
		return fmt.Sprintf(pgbouncerConfig, host, serverPort, port, users, certificate, key, mode, pool, mostPeers), err
	})
}

// mostPeers is how many sessions the other proxies let in.
const mostPeers = 11_000

const haproxyConfig = `global
  nbthread 1
  maxconn %[1]d
defaults
  mode tcp
  maxconn %[1]d
  timeout connect 5s
  timeout client 1h
  timeout server 1h
listen db
  bind 127.0.0.1:%[2]s
  server db %[3]s
`

// startHAProxy starts HAProxy as a relay of TCP in one thread.
func startHAProxy(directory, target string) (*peer, error) {
	sessions, err := crowdSessions() // it refuses to start for more than it may have files for
	if err != nil {
		return nil, err
	}
	return startPeer("haproxy", directory, func(port string) (string, error) {
		return fmt.Sprintf(haproxyConfig, sessions, port, target), nil
	}, "-db", "-f")
}

// startPeer starts a program with a configuration for a port; nil when it is not
// installed.
func startPeer(program, directory string, config func(port string) (string, error), args ...string) (*peer, error) {
	path, err := exec.LookPath(program)
	if err != nil {
		if path = "/usr/sbin/" + program; !executable(path) {
			fmt.Fprintf(os.Stderr, "load: %s is not installed and left out\n", program)
			return nil, nil
		}
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	text, err := config(port)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(directory, program+".conf")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		return nil, err
	}
	p := &peer{name: program, address: address, cmd: exec.Command(path, append(args, file)...)}
	if p.cmd.SysProcAttr, err = unprivileged(); err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	for range 100 {
		if conn, err := net.Dial("tcp", address); err == nil {
			return p, conn.Close()
		}
		time.Sleep(50 * time.Millisecond)
	}
	p.stop()
	return nil, fmt.Errorf("%s does not serve", program)
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode()&0o111 != 0
}

// freeAddress is one where nobody listens.
func freeAddress() (string, error) {
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return socket.Addr().String(), socket.Close()
}

// unprivileged lets root's children run as nobody: PgBouncer refuses to be root.
// They die with this process.
func unprivileged() (*syscall.SysProcAttr, error) {
	attributes := &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() != 0 {
		return attributes, nil
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		return nil, err
	}
	id, err := strconv.ParseUint(nobody.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	group, err := strconv.ParseUint(nobody.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	attributes.Credential = &syscall.Credential{Uid: uint32(id), Gid: uint32(group)}
	return attributes, nil
}
