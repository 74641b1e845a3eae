package config

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"

	"sqlveil/auditlog/anchor"
)

// check reports what the values themselves have wrong.
func (l *loader) check() {
	if len(l.config.Listeners) == 0 {
		l.problem([]string{"listeners"}, "listeners is missing: at least one is wanted")
	}
	for i := range l.config.Listeners {
		l.checkListener(i)
	}
	l.checkAudit()
	l.checkAdmin()
	l.checkAddresses()
	l.require([]string{"policy"}, l.config.PolicyPath)
}

// require reports a value that may not be left out.
func (l *loader) require(path []string, value string) {
	if value != "" {
		return
	}
	keys := path
	if path[0] == "listeners" {
		keys = path[2:] // the place says which
	}
	l.problem(path, "%s is missing", strings.Join(keys, "."))
}

// oneOf reports a word that is none of those given.
func oneOf[T ~string](l *loader, path []string, value T, words ...T) {
	if value == "" {
		l.require(path, "")
		return
	}
	if !slices.Contains(words, value) {
		names := make([]string, len(words))
		for i, word := range words {
			names[i] = string(word)
		}
		l.problem(path, "unknown %s %q; it is one of %s", path[len(path)-1], value, strings.Join(names, ", "))
	}
}

func (l *loader) checkListener(i int) {
	listener := l.config.Listeners[i]
	at := func(keys ...string) []string { return listenerPath(i, keys...) }
	l.require(at("name"), listener.Name)
	oneOf(l, at("protocol"), listener.Protocol, Postgres, MySQL)
	oneOf(l, at("login"), listener.Login, Passthrough)
	oneOf(l, at("tls", "mode"), listener.TLS.Mode, TLSDisable, TLSPrefer, TLSRequire)
	oneOf(l, at("server", "tls", "mode"), listener.Server.TLS.Mode,
		TLSDisable, TLSPrefer, TLSRequire, TLSVerifyCA, TLSVerifyFull)
	l.checkAddress(at("listen"), listener.Listen, 0)
	l.checkAddress(at("server", "address"), listener.Server.Address, 1)
	l.require(at("catalog", "user"), listener.Catalog.User)
	for j, earlier := range l.config.Listeners[:i] {
		if listener.Name != "" && earlier.Name == listener.Name {
			l.problem(at("name"), "listeners[%d] has the name %q already", j, listener.Name)
		}
	}
}

func listenerPath(i int, keys ...string) []string {
	return append([]string{"listeners", strconv.Itoa(i)}, keys...)
}

// checkAddress reports what is neither a path nor host:port.
func (l *loader) checkAddress(path []string, address Address, lowestPort int) {
	if address == "" {
		l.require(path, "")
		return
	}
	if address.Network() == "unix" {
		return
	}
	_, port, err := net.SplitHostPort(string(address))
	n, portErr := strconv.ParseUint(port, 10, 16)
	if err != nil || portErr != nil || int(n) < lowestPort {
		l.problem(path, "%q is neither host:port nor the path of a unix socket", string(address))
	}
}

func (l *loader) checkAudit() {
	audit := l.config.Audit
	l.require([]string{"audit", "directory"}, audit.Directory)
	oneOf(l, []string{"audit", "durability"}, audit.Durability, Strict, Classified, Spool)
	if audit.Text != "" {
		oneOf(l, []string{"audit", "text"}, audit.Text, SealedText)
	}
	for i, address := range audit.Anchors {
		l.checkAnchor([]string{"audit", "anchors", strconv.Itoa(i)}, address)
	}
	if audit.Shed && audit.Durability != Spool {
		l.problem([]string{"audit", "shed"}, "shed goes with durability: spool only")
	}
	if days := audit.RetentionDays; days != 0 && days < shortestRetention {
		l.problem([]string{"audit", "retention_days"}, "retention_days must be at least %d", shortestRetention)
	}
}

// checkAnchor reports an address that keeps no checkpoints, or keeps them where
// whoever can change the log can change them too.
func (l *loader) checkAnchor(path []string, address string) {
	if _, err := anchor.Open(address); err != nil {
		l.problem(path, "%s", err)
		return
	}
	dir, ok := anchor.Directory(address)
	if !ok {
		return
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		l.problem(path, "%s: there is no such directory", dir)
	}
	if log := l.config.Audit.Directory; dir == log || strings.HasPrefix(dir, log+"/") {
		l.problem(path, "%s lies in the audit log's own directory", dir)
	}
}

// checkAdmin keeps the admin port on this machine: it asks nobody who they are.
func (l *loader) checkAdmin() {
	address := l.config.Admin.Listen
	if address == "" {
		return
	}
	path := []string{"admin", "listen"}
	l.checkAddress(path, address, 0)
	host, _, err := net.SplitHostPort(string(address))
	if err != nil || address.Network() == "unix" || host == "localhost" {
		return
	}
	if ip, err := netip.ParseAddr(host); err != nil || !ip.IsLoopback() {
		l.problem(path, "the admin address must be a loopback address such as 127.0.0.1:9642, or a unix socket")
	}
}

// checkAddresses reports an address that two listen on.
func (l *loader) checkAddresses() {
	seen := map[Address]string{}
	listen := func(path []string, name string, address Address) {
		if address == "" || strings.HasSuffix(string(address), ":0") {
			return
		}
		if other, twice := seen[address]; twice {
			l.problem(path, "%s listens on %s already", other, address)
		}
		seen[address] = name
	}
	for i, listener := range l.config.Listeners {
		listen(listenerPath(i, "listen"), fmt.Sprintf("listeners[%d]", i), listener.Listen)
	}
	listen([]string{"admin", "listen"}, "admin", l.config.Admin.Listen)
}
