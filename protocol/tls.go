package protocol

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
)

// A side is [tls.Server] or [tls.Client].
type side func(net.Conn, *tls.Config) *tls.Conn

// StartTLSServer makes the connection a TLS connection whose server we are. The
// peer must not have sent anything since it asked for that.
func (c *Conn) StartTLSServer(ctx context.Context, config *tls.Config) error {
	return c.startTLS(ctx, config, tls.Server)
}

// StartTLSClient makes the connection a TLS connection whose client we are. The
// peer must not have sent anything behind its consent.
func (c *Conn) StartTLSClient(ctx context.Context, config *tls.Config) error {
	return c.startTLS(ctx, config, tls.Client)
}

func (c *Conn) startTLS(ctx context.Context, config *tls.Config, as side) error {
	if len(c.Buffered()) > 0 {
		return ErrPlaintextAfterTLSRequest
	}
	if err := c.Flush(); err != nil {
		return err
	}
	return c.handshake(ctx, &wire{Conn: c.conn}, config, as)
}

// StartDirectTLS makes the connection a TLS connection whose server we are, for
// a peer that began with the handshake: what is buffered is the start of it.
func (c *Conn) StartDirectTLS(ctx context.Context, config *tls.Config) error {
	head := append([]byte(nil), c.Buffered()...)
	return c.handshake(ctx, &wire{Conn: c.conn, head: head}, config, tls.Server)
}

func (c *Conn) handshake(ctx context.Context, w *wire, config *tls.Config, as side) error {
	c.release()
	t := as(w, config)
	if err := t.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("TLS handshake: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conn, c.raw, c.secure, c.wire = t, nil, t, w
	return nil
}

// encrypted returns the TLS connection, nil when there is none, for callers that may
// run beside a handshake.
func (c *Conn) encrypted() *tls.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.secure
}

// TLS returns the state of the TLS connection, or nil when there is none.
func (c *Conn) TLS() *tls.ConnectionState {
	t := c.encrypted()
	if t == nil {
		return nil
	}
	state := t.ConnectionState()
	return &state
}
