package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/rs/zerolog"

	"sqlveil/auditlog"
	"sqlveil/config"
)

// reloads counts what became of reloads.
type reloads struct{ done, failed atomic.Uint64 }

// reload reads the configuration again and puts it in force, all of it or
// nothing. What it may change is the policy, the masking key, the account that
// reads catalogs and what clients are shown as a certificate; a file that changes
// anything else is refused, because that takes a restart.
func (g *gateway) reload(path string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	next, warnings, err := loadConfig(path)
	logWarnings(g.log, warnings)
	if err == nil {
		err = needsRestart(g.config, next)
	}
	if err == nil {
		err = g.record(auditlog.ProxyReload, "config", path)
	}
	if err == nil {
		err = g.record(auditlog.PolicyLoad, "policy", next.Policy.Version(), "before", g.config.Policy.Version())
	}
	g.health.report("reload", err)
	if err != nil {
		g.reloads.failed.Add(1)
		g.log.Error().Err(err).Msg("not reloaded, the configuration before stays in force")
		return errors.Join(err, g.record(auditlog.PolicyReject, "reason", firstLine(err)))
	}
	g.policy.Store(next.Policy)
	for i, l := range g.listeners {
		l.tls.Store(next.Listeners[i].TLS.Config)
		if now := &next.Listeners[i]; g.config.Listeners[i].Catalog != now.Catalog {
			l.catalogs.replace(wires[now.Protocol].catalogs(now))
		}
	}
	g.config = next
	g.reloads.done.Add(1)
	g.log.Info().Str("policy", next.Policy.Version()).Msg("reloaded")
	return nil
}

// logWarnings passes on what a configuration may have wrong.
func logWarnings(log zerolog.Logger, warnings []config.Problem) {
	for _, warning := range warnings {
		log.Warn().Msg(warning.String())
	}
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// needsRestart says what of the new configuration a running gateway cannot take
// over.
func needsRestart(now, next *config.Config) error {
	var what []string
	if len(now.Listeners) != len(next.Listeners) {
		what = append(what, "the number of listeners")
	} else {
		for i := range now.Listeners {
			what = append(what, changedListener(&now.Listeners[i], &next.Listeners[i])...)
		}
	}
	if !reflect.DeepEqual(now.Audit, next.Audit) {
		what = append(what, "audit")
	}
	if now.Admin != next.Admin {
		what = append(what, "admin")
	}
	if len(what) == 0 {
		return nil
	}
	return fmt.Errorf("these cannot be changed while the program runs, restart it: %s", strings.Join(what, ", "))
}

func changedListener(now, next *config.Listener) []string {
	var what []string
	for _, part := range []struct {
		name    string
		changed bool
	}{
		{"name", now.Name != next.Name},
		{"protocol", now.Protocol != next.Protocol},
		{"listen", now.Listen != next.Listen},
		{"tls.mode", now.TLS.Mode != next.TLS.Mode},
		{"server", !sameServer(now.Server, next.Server)},
	} {
		if part.changed {
			what = append(what, now.Name+": "+part.name)
		}
	}
	return what
}

// sameServer compares all but the certificates read from the files.
func sameServer(a, b config.Server) bool {
	a.TLS.Config, b.TLS.Config = nil, nil
	return a == b
}

// A configError is everything that is wrong with a configuration.
type configError []config.Problem

// Error has a line for each problem.
func (e configError) Error() string {
	lines := make([]string, len(e))
	for i, problem := range e {
		lines[i] = problem.String()
	}
	return strings.Join(lines, "\n")
}

// loadConfig reads the configuration and returns its warnings apart.
func loadConfig(path string) (*config.Config, []config.Problem, error) {
	c, problems := config.Load(path)
	var wrong configError
	var warnings []config.Problem
	for _, problem := range problems {
		if problem.Warning {
			warnings = append(warnings, problem)
		} else {
			wrong = append(wrong, problem)
		}
	}
	if len(wrong) > 0 {
		return nil, warnings, wrong
	}
	return c, warnings, nil
}

// settle is how long files must be quiet before they are read: an editor or a
// deployment writes several in a row.
const settle = 300 * time.Millisecond

// watchFiles reloads when the configuration or a file that it names changes, and
// whenever ask receives, until ctx ends.
func (g *gateway) watchFiles(ctx context.Context, path string, ask <-chan os.Signal) error {
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch the configuration: %w", err)
	}
	defer watcher.Close()
	known := g.fingerprint(path, watcher)
	quiet := time.NewTimer(settle)
	quiet.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ask:
			_ = g.reload(path) // it has logged and reported what failed
			known = g.fingerprint(path, watcher)
		case <-watcher.Events:
			quiet.Reset(settle)
		case err := <-watcher.Errors:
			g.log.Warn().Err(err).Msg("watch the configuration")
			quiet.Reset(settle) // events may have been lost
		case <-quiet.C:
			if now := g.fingerprint(path, watcher); now != known {
				known = now
				_ = g.reload(path) // as above
				known = g.fingerprint(path, watcher)
			}
		}
	}
}

// fingerprint digests the files that the configuration is made of, and sees to
// it that their directories are watched: a file itself may be replaced.
func (g *gateway) fingerprint(path string, watcher *fsnotify.Watcher) [sha256.Size]byte {
	g.mu.Lock()
	files := filesOf(path, g.config)
	g.mu.Unlock()
	sum := sha256.New()
	for _, file := range files {
		if err := watcher.Add(filepath.Dir(file)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			g.log.Warn().Err(err).Str("file", file).Msg("changes of this file will not be noticed")
		}
		data, err := os.ReadFile(file)
		fmt.Fprintf(sum, "%s %d %v\n", file, len(data), err)
		sum.Write(data)
	}
	return [sha256.Size]byte(sum.Sum(nil))
}

// filesOf lists the files that a configuration is made of.
func filesOf(path string, c *config.Config) []string {
	files := map[string]bool{path: true, c.PolicyPath: true, c.Keys.Masking: true}
	if parts, err := filepath.Glob(filepath.Join(c.PolicyPath, "*.yaml")); err == nil {
		for _, part := range parts {
			files[part] = true
		}
	}
	for _, l := range c.Listeners {
		for _, file := range []string{l.Catalog.PasswordFile, l.TLS.Certificate, l.TLS.Key, l.TLS.ClientCA, l.Server.TLS.CA, l.Server.TLS.Certificate, l.Server.TLS.Key} {
			files[file] = true
		}
	}
	delete(files, "")
	return slices.Sorted(maps.Keys(files))
}
