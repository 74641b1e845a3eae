package pgrelay

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"

	"sqlveil/protocol"
	"sqlveil/protocol/pgwire"
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
	if r.ServerTLSMod == TLSDisable || r.ServerTLSMod == "" || r.Network == "unix" {
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
		return c.StartTLSClient(ctx, r.serverTLS())
	case r.ServerTLSMod == TLSPrefer:
		return nil
	}
	return errNoTLS
}

// serverTLS is the configuration that does what the mode promises: prefer and
// require do not ask who the server is, unless require was given authorities;
// verify-ca asks who signed, verify-full for the name too.
func (r *Relay) serverTLS() *tls.Config {
	config := &tls.Config{}
	if r.ServerTLS != nil {
		config = r.ServerTLS.Clone()
	}
	config.MinVersion = max(config.MinVersion, tls.VersionTLS12)
	if config.ServerName == "" {
		if host, _, err := net.SplitHostPort(r.Address); err == nil {
			config.ServerName = host
		}
	}
	if r.ServerTLSMod == TLSVerifyFull {
		return config
	}
	config.InsecureSkipVerify = true
	if r.ServerTLSMod == TLSVerifyCA || r.ServerTLSMod == TLSRequire && config.RootCAs != nil {
		roots := config.RootCAs
		config.VerifyConnection = func(state tls.ConnectionState) error { return verifyChain(state, roots) }
	}
	return config
}

// verifyChain checks who signed a certificate, but not its name.
func verifyChain(state tls.ConnectionState, roots *x509.CertPool) error {
	if len(state.PeerCertificates) == 0 {
		return errors.New("the server has no certificate")
	}
	between := x509.NewCertPool()
	for _, c := range state.PeerCertificates[1:] {
		between.AddCert(c)
	}
	_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between})
	if err != nil {
		return fmt.Errorf("the server's certificate: %w", err)
	}
	return nil
}
