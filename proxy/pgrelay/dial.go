package pgrelay

import (
	"context"
	"errors"
	"net"

	"sqlveil/protocol"
	"sqlveil/protocol/pgwire"
	"sqlveil/proxy/session"
)

// errNoTLS says that the server does not speak TLS though it has to.
var errNoTLS = errors.New("the server does not accept TLS")

// dial connects to the server, encrypted as the mode says. It never falls back
// from a handshake that failed.
func (r *Relay) dial(ctx context.Context) (*protocol.Conn, error) {
	connect := r.Dial
	if connect == nil {
		connect = new(net.Dialer).DialContext
	}
	nc, err := connect(ctx, r.Network, r.Address)
	if err != nil {
		return nil, err
	}
	c := protocol.NewConn(nc)
	c.WriteTimeout = r.WriteTimeout
	if deadline, ok := ctx.Deadline(); ok {
		_ = c.SetDeadline(deadline) // fails only on a closed connection
	}
	if err := r.encrypt(ctx, c); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// encrypt starts TLS towards the server. As in libpq a unix socket needs none.
func (r *Relay) encrypt(ctx context.Context, c *protocol.Conn) error {
	if r.ServerTLSMod.Off() || r.Network == "unix" {
		return nil
	}
	if _, err := c.Write(pgwire.AppendSSLRequest(nil)); err != nil {
		return err
	}
	if err := c.Flush(); err != nil {
		return err
	}
	yes, err := pgwire.NewReader(c).TLSAnswer()
	switch {
	case err != nil:
		return err
	case yes:
		return c.StartTLSClient(ctx, r.ServerTLSMod.ServerTLS(r.ServerTLS, r.Address))
	case r.ServerTLSMod == session.TLSPrefer:
		return nil
	}
	return errNoTLS
}
