package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"sqlveil/auditlog"
	"sqlveil/auditlog/anchor"
	"sqlveil/auditlog/review"
	"sqlveil/config"
	"sqlveil/masking"
	"sqlveil/proxy/session"
	"sqlveil/rewrite"
)

// A gateway is what one sqlveil.yaml says, built and running.
type gateway struct {
	log       zerolog.Logger
	audit     *auditlog.Log
	policy    atomic.Pointer[masking.Policy]
	listeners []*listener
	room      *session.Room // of all listeners
	admin     *adminServer  // nil when there is none
	health    health
	reloads   reloads

	mu     sync.Mutex
	config *config.Config // guarded by mu; what is in force
}

// A listener is one entry of listeners, running.
type listener struct {
	settings config.Listener
	socket   net.Listener
	server   *session.Server
	catalogs *rotatingCatalogs
	tls      atomic.Pointer[tls.Config] // what clients are offered now
}

// indexRetry is after how long the index is tried again that could not be kept up.
const indexRetry = time.Minute

// plannerSize is how many bytes a listener's planner remembers texts and plans in:
// some ten thousand small statements.
const plannerSize = 32 << 20

// openGateway builds everything and listens. What it opened before something
// failed is closed again.
func openGateway(path string, c *config.Config, log zerolog.Logger) (g *gateway, err error) {
	g = &gateway{log: log, config: c}
	g.policy.Store(c.Policy)
	defer func() {
		if err != nil {
			err = errors.Join(err, g.close())
		}
	}()
	if g.room, err = openRoom(); err != nil {
		return g, err
	}
	if g.audit, err = openAudit(&c.Audit); err != nil {
		return g, err
	}
	g.health.watch("audit log", g.audit.Health)
	if err := g.record(auditlog.ProxyStart, "version", version(), "config", path); err != nil {
		return g, err
	}
	if err := g.record(auditlog.PolicyLoad, "policy", c.Policy.Version()); err != nil {
		return g, err
	}
	for i := range c.Listeners {
		l, err := g.openListener(&c.Listeners[i])
		if err != nil {
			return g, fmt.Errorf("listener %s: %w", c.Listeners[i].Name, err)
		}
		g.listeners = append(g.listeners, l)
	}
	if c.Admin.Listen != "" {
		if g.admin, err = openAdmin(c.Admin, g); err != nil {
			return g, fmt.Errorf("admin: %w", err)
		}
	}
	return g, nil
}

// openAudit opens the log as the configuration has it.
func openAudit(c *config.Audit) (*auditlog.Log, error) {
	o := auditlog.Options{
		Directory:     c.Directory,
		Node:          c.Node,
		Durability:    auditlog.Durability(c.Durability),
		Keys:          c.Keys,
		SealText:      c.Text == config.SealedText,
		Shed:          c.Shed,
		RetentionDays: c.RetentionDays,
	}
	for _, address := range c.Anchors {
		a, err := anchor.Open(address)
		if err != nil {
			return nil, err
		}
		o.Anchors = append(o.Anchors, a)
	}
	return auditlog.Open(o)
}

// keepIndex keeps the index of the log up until ctx ends. Without it questions
// are answered as well, only later; so a failure is logged, and tried again.
func (g *gateway) keepIndex(ctx context.Context) {
	for {
		err := review.Keep(ctx, g.config.Audit.Directory, review.Options{})
		if ctx.Err() != nil {
			return
		}
		g.log.Warn().Err(err).Msg("the index of the audit log is not kept up")
		select {
		case <-ctx.Done():
			return
		case <-time.After(indexRetry):
		}
	}
}

// openListener listens and puts the parts of one listener in a row.
func (g *gateway) openListener(settings *config.Listener) (*listener, error) {
	wire, ok := wires[settings.Protocol]
	if !ok {
		return nil, fmt.Errorf("the protocol %q is not one of %v", settings.Protocol, wireNames())
	}
	socket, err := listen(settings.Listen)
	if err != nil {
		return nil, err
	}
	l := &listener{settings: *settings, socket: socket, catalogs: newRotatingCatalogs(wire.catalogs(settings))}
	l.tls.Store(settings.TLS.Config)
	l.server = &session.Server{
		Room:  g.room,
		Relay: wire.relay(settings, l.tls.Load),
		Options: session.Options{
			Listener: settings.Name,
			Protocol: settings.Protocol,
			Address:  settings.Server.Address.String(),
			Policy:   g.policy.Load,
			Planner:  rewrite.NewPlanner(wire.dialect, plannerSize),
			Catalogs: l.catalogs,
			Audit:    g.audit,
			Log:      g.log.With().Str("listener", settings.Name).Logger(),
			Metrics:  new(session.Metrics),
			Hasher:   g.audit.NewSubjectHasher,
			Sealer:   g.audit.NewSealer,
		},
	}
	return l, nil
}

// listen listens on an address. A unix socket that nobody serves any more is in
// the way and is removed.
func listen(address config.Address) (net.Listener, error) {
	socket, err := net.Listen(address.Network(), address.String())
	if err == nil || address.Network() != "unix" {
		return socket, err
	}
	if conn, dialErr := net.Dial("unix", address.String()); dialErr == nil {
		conn.Close()
		return nil, err
	}
	if removeErr := os.Remove(address.String()); removeErr != nil {
		return nil, err
	}
	return net.Listen("unix", address.String())
}

// serve accepts clients until ctx ends, then lets running statements end for at
// most drain.
func (g *gateway) serve(ctx context.Context, drain time.Duration) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var wg sync.WaitGroup
	for _, l := range g.listeners {
		g.log.Info().Str("listener", l.settings.Name).Stringer("address", l.socket.Addr()).
			Stringer("server", l.settings.Server.Address).Msg("serving")
		wg.Go(func() {
			if err := probe(ctx, &l.settings); err != nil && ctx.Err() == nil {
				g.log.Warn().Err(plainError(err)).Str("listener", l.settings.Name).Msg("roles with masks will be refused")
			}
		})
		wg.Go(func() {
			if err := l.server.Serve(l.socket); !errors.Is(err, session.ErrServerClosed) {
				stop(fmt.Errorf("listener %s: %w", l.settings.Name, err))
			}
		})
	}
	wg.Go(func() { g.keepIndex(ctx) })
	wg.Go(func() { giveMemoryBack(ctx) })
	if g.admin != nil {
		g.log.Info().Stringer("address", g.admin.socket.Addr()).Msg("admin")
		wg.Go(func() { g.admin.serve(ctx, stop) })
	}
	<-ctx.Done()
	err := context.Cause(ctx)
	if errors.Is(err, context.Canceled) {
		err = nil // we were asked to end
	}
	g.drain(drain)
	wg.Wait()
	return errors.Join(err, g.close())
}

// drain lets the listeners finish what runs.
func (g *gateway) drain(limit time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	var wg sync.WaitGroup
	for _, l := range g.listeners {
		wg.Go(func() {
			if err := l.server.Shutdown(ctx); err != nil {
				g.log.Warn().Str("listener", l.settings.Name).Dur("after", limit).Msg("sessions were broken off")
			}
		})
	}
	wg.Wait()
}

// close ends what openGateway opened, after the sessions have ended.
func (g *gateway) close() error {
	for _, l := range g.listeners {
		_ = l.socket.Close() // closed already where it was served
		l.catalogs.Close()
	}
	if g.admin != nil {
		g.admin.close()
	}
	if g.audit == nil {
		return nil
	}
	return errors.Join(g.record(auditlog.ProxyStop), g.audit.Close())
}

// record puts an act of the program itself on record, with details as key and
// value in turn.
func (g *gateway) record(kind auditlog.Kind, details ...string) error {
	event := auditlog.Event{Kind: kind}
	for i := 0; i+1 < len(details); i += 2 {
		event.Detail = append(event.Detail, auditlog.Detail{Key: details[i], Value: details[i+1]})
	}
	_, err := g.audit.Append(&event, false)
	return err
}
