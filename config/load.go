package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Load reads sqlveil.yaml at path and all that it names. It reports everything
// that is wrong at once; the Config is nil unless all of that are warnings.
func Load(path string) (*Config, []Problem) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, []Problem{{File: path, Message: fileError("read", err)}}
	}
	root, problems := parseYAML(path, data)
	if root == nil {
		return nil, problems
	}
	l := loader{root: root, directory: filepath.Dir(path), problems: problems, config: &Config{}}
	l.problems = append(l.problems, decode(root, l.config)...)
	l.defaults()
	l.resolve()
	l.check()
	l.readFiles()
	l.loadPolicy()
	l.problems = sortProblems(l.problems)
	if failed(l.problems) {
		return nil, l.problems
	}
	return l.config, l.problems
}

// A loader fills one Config.
type loader struct {
	root      *node
	directory string // what relative paths are relative to
	config    *Config
	problems  []Problem
}

// problem reports something about the value at a path, unless the file has it in
// a form that was reported already.
func (l *loader) problem(path []string, format string, args ...any) {
	if at := l.root.locate(path); at != nil {
		l.problems = append(l.problems, at.at(fmt.Sprintf(format, args...)))
	}
}

// defaults fills in what the file may leave out.
func (l *loader) defaults() {
	for i := range l.config.Listeners {
		listener := &l.config.Listeners[i]
		setDefault(&listener.TLS.Mode, TLSDisable)
		setDefault(&listener.Login, Passthrough)
		if listener.Server.Address.Network() == "unix" {
			setDefault(&listener.Server.TLS.Mode, TLSDisable)
		}
		setDefault(&listener.Server.TLS.Mode, TLSPrefer)
	}
	setDefault(&l.config.Audit.Durability, Classified)
}

func setDefault[T comparable](v *T, otherwise T) {
	var zero T
	if *v == zero {
		*v = otherwise
	}
}

// resolve makes relative paths relative to the file that they are in.
func (l *loader) resolve() {
	paths := []*string{&l.config.Keys.Masking, &l.config.PolicyPath, &l.config.Audit.Directory, &l.config.Audit.Keys}
	addresses := []*Address{&l.config.Admin.Listen}
	for i := range l.config.Listeners {
		listener := &l.config.Listeners[i]
		paths = append(paths, &listener.Catalog.PasswordFile,
			&listener.TLS.Certificate, &listener.TLS.Key, &listener.TLS.ClientCA,
			&listener.Server.TLS.CA, &listener.Server.TLS.Certificate, &listener.Server.TLS.Key)
		addresses = append(addresses, &listener.Listen, &listener.Server.Address)
	}
	for _, path := range paths {
		*path = l.resolved(*path)
	}
	for _, address := range addresses {
		if address.Network() == "unix" {
			*address = Address(l.resolved(string(*address)))
		}
	}
}

func (l *loader) resolved(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(l.directory, path)
}

// fileError says in one line why a file cannot be used.
func fileError(doing string, err error) string {
	var path *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "there is no such file"
	case errors.As(err, &path):
		return fmt.Sprintf("cannot %s it: %v", doing, path.Err)
	}
	return fmt.Sprintf("cannot %s it: %s", doing, strings.ReplaceAll(err.Error(), "\n", "; "))
}
