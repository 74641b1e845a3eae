package pgrelay

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"time"

	"sqlveil/masking"
	"sqlveil/protocol"
	"sqlveil/protocol/pgwire"
	"sqlveil/proxy/session"
)

// maxLoginBody bounds the messages of the login: the server takes no larger ones
// from a client that it does not know yet, and has none to send.
// https://github.com/postgres/postgres/blob/REL_18_STABLE/src/include/libpq/auth.h (PG_MAX_AUTH_TOKEN_LENGTH)
const maxLoginBody = 65535

// maxClientLogin is for the client's side: 10,000 bytes, as for the startup packet.
const maxClientLogin = 10_000

// logIn brings a client from its first byte to its first ReadyForQuery. It
// returns false when the session ended before that, as it should or as the server
// told the client.
func (c *conn) logIn(ctx context.Context) (started bool, err error) {
	timeout := c.relay.LoginTimeout
	if timeout == 0 {
		timeout = defaultLoginTimeout
	}
	ctx, done := context.WithTimeout(ctx, timeout)
	defer done()
	c.deadline(time.Now().Add(timeout))
	startup, err := c.open(ctx)
	if err != nil || startup == nil {
		return false, err
	}
	if c.server, err = c.relay.dial(ctx); err != nil {
		c.session.LoginFailed(caller(startup, nil), pgwire.StateConnectionFailure, "the server cannot be reached")
		c.session.Log.Error().Err(err).Str("server", c.relay.Address).Msg("the server cannot be reached")
		return false, c.bye(pgwire.StateConnectionFailure, "the server cannot be reached")
	}
	c.fromServer, c.toServer = pgwire.NewReader(c.server), pgwire.NewWriter(c.server)
	unhook := context.AfterFunc(ctx, func() { c.server.Close() })
	defer unhook()
	started, err = c.authenticate(startup)
	if err != nil || !started {
		return started, err
	}
	c.deadline(time.Time{})
	return true, nil
}

// deadline bounds what is done with either connection. It can fail only on one
// that is closed, which the next read or write will tell.
func (c *conn) deadline(t time.Time) {
	_ = c.client.SetDeadline(t)
	if c.server != nil {
		_ = c.server.SetDeadline(t)
	}
}

// open answers what comes before the StartupMessage and returns that. It is nil
// for a connection that wanted something else.
func (c *conn) open(ctx context.Context) (*pgwire.Startup, error) {
	var askedTLS, askedGSS bool
	for {
		s, err := c.fromClient.Startup()
		if err != nil {
			return nil, c.badStart(err)
		}
		switch s.Opening {
		case pgwire.OpeningDirectTLS:
			if err := c.directTLS(ctx); err != nil {
				return nil, &session.EndError{Why: "TLS handshake failed", Err: err}
			}
			askedTLS = true
		case pgwire.OpeningTLS:
			if askedTLS {
				return nil, c.bye(pgwire.StateProtocolViolation, "TLS was asked for twice")
			}
			askedTLS = true
			if err := c.answerTLS(ctx); err != nil {
				return nil, &session.EndError{Why: "TLS handshake failed", Err: err}
			}
		case pgwire.OpeningGSS:
			if askedGSS {
				return nil, c.bye(pgwire.StateProtocolViolation, "GSSAPI encryption was asked for twice")
			}
			askedGSS = true
			if err := c.answer('N'); err != nil {
				return nil, err
			}
		case pgwire.OpeningCancel:
			return nil, c.cancel(ctx, s)
		case pgwire.OpeningStartup:
			return c.checkStart(s)
		}
	}
}

// badStart is the end of a connection whose first packet is not one.
func (c *conn) badStart(err error) error {
	switch {
	case errors.Is(err, io.EOF):
		return &session.EndError{Why: "client gone"} // a port scan, a health check
	case errors.Is(err, protocol.ErrMalformed), errors.Is(err, protocol.ErrTooLarge):
		return errors.Join(c.bye(pgwire.StateProtocolViolation, "invalid startup packet"), err)
	}
	return &session.EndError{Why: "no startup packet", Err: err}
}

// checkStart refuses what the listener does not allow.
func (c *conn) checkStart(s *pgwire.Startup) (*pgwire.Startup, error) {
	if c.relay.ClientTLSMod == session.TLSRequire && c.client.TLS() == nil {
		c.session.LoginFailed(caller(s, nil), pgwire.StateInvalidAuthorization, "no TLS")
		return nil, c.bye(pgwire.StateInvalidAuthorization, "this listener takes TLS connections only")
	}
	if s.Parameter("user") == "" {
		return nil, c.bye(pgwire.StateInvalidAuthorization, "no PostgreSQL user name specified in startup packet")
	}
	for _, name := range []string{"user", "database"} {
		if len(s.Parameter(name)) > longestName {
			c.session.LoginFailed(caller(s, c.client), pgwire.StateInvalidAuthorization, "a name that is too long")
			return nil, c.bye(pgwire.StateInvalidAuthorization, "the name of the "+name+" is too long")
		}
	}
	return s, nil
}

// longestName is how many bytes of a name the server looks at. It cuts the rest
// off a user's or a database's, and would let in somebody else than the policy was
// asked about.
// https://github.com/postgres/postgres/blob/REL_15_STABLE/src/include/pg_config_manual.h (NAMEDATALEN)
const longestName = 63

func (c *conn) answer(b byte) error {
	if _, err := c.client.Write([]byte{b}); err != nil {
		return err
	}
	return c.client.Flush()
}

func (c *conn) answerTLS(ctx context.Context) error {
	if c.relay.ClientTLSMod.Off() {
		return c.answer('N')
	}
	if len(c.client.Buffered()) > 0 {
		return protocol.ErrPlaintextAfterTLSRequest
	}
	if err := c.answer('S'); err != nil {
		return err
	}
	return c.client.StartTLSServer(ctx, c.clientTLS())
}

// directTLS is for a client that begins with TLS and names the protocol in it.
func (c *conn) directTLS(ctx context.Context) error {
	if c.relay.ClientTLSMod.Off() || c.client.TLS() != nil {
		return errors.New("TLS is not expected")
	}
	if err := c.client.StartDirectTLS(ctx, c.clientTLS()); err != nil {
		return err
	}
	if c.client.TLS().NegotiatedProtocol != pgwire.ALPN {
		return errors.New("direct TLS without the application protocol " + pgwire.ALPN)
	}
	return nil
}

// clientTLS is the listener's configuration. Sessions are not resumed: a client's
// certificate is looked at anew each time. It notes the certificate that the
// client gets to see.
func (c *conn) clientTLS() *tls.Config {
	config := c.relay.ClientTLS().Clone()
	config.MinVersion = max(config.MinVersion, tls.VersionTLS12)
	config.NextProtos = []string{pgwire.ALPN}
	config.SessionTicketsDisabled = true
	choose, fixed := config.GetCertificate, config.Certificates
	config.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		certificate, err := chooseCertificate(hello, choose, fixed)
		if err == nil && certificate != nil && len(certificate.Certificate) > 0 {
			c.shown = certificate.Certificate[0]
		}
		return certificate, err
	}
	config.Certificates = nil
	return config
}

// chooseCertificate does what crypto/tls does with a configuration's GetCertificate
// and Certificates.
func chooseCertificate(hello *tls.ClientHelloInfo, choose func(*tls.ClientHelloInfo) (*tls.Certificate, error), fixed []tls.Certificate) (*tls.Certificate, error) {
	if choose != nil {
		if certificate, err := choose(hello); certificate != nil || err != nil {
			return certificate, err
		}
	}
	for i := range fixed {
		if hello.SupportsCertificate(&fixed[i]) == nil {
			return &fixed[i], nil
		}
	}
	if len(fixed) == 0 {
		return nil, errors.New("no certificate is configured")
	}
	return &fixed[0], nil
}

// caller is what a startup packet and a connection tell of the client.
func caller(s *pgwire.Startup, client *protocol.Conn) masking.Caller {
	who := masking.Caller{
		User: s.Parameter("user"), Database: s.Parameter("database"), Application: s.Parameter("application_name"),
	}
	if who.Database == "" {
		who.Database = who.User
	}
	if client == nil {
		return who
	}
	if a, ok := client.RemoteAddr().(*net.TCPAddr); ok {
		who.Address, _ = netip.AddrFromSlice(a.IP)
		who.Address = who.Address.Unmap()
	}
	if t := client.TLS(); t != nil && len(t.VerifiedChains) > 0 {
		who.CertificateName = t.PeerCertificates[0].Subject.CommonName
	}
	return who
}

// authenticate passes the login on until the server is ready for the first query.
func (c *conn) authenticate(s *pgwire.Startup) (started bool, err error) {
	if err := c.toServer.Write(pgwire.AppendStartup(nil, s.Version, s.Parameters)); err != nil {
		return false, c.serverGone(s, err)
	}
	if err := c.toServer.Flush(); err != nil {
		return false, c.serverGone(s, err)
	}
	for {
		f, err := c.fromServer.Frame(maxLoginBody)
		if err != nil {
			return false, c.serverGone(s, err)
		}
		switch f.Type {
		case pgwire.MsgAuthentication:
			in, err := c.challenge(s, f)
			if err != nil {
				return false, err
			}
			if in {
				return c.welcome(s)
			}
		case pgwire.MsgErrorResponse:
			return false, c.rejected(s, f)
		case pgwire.MsgNoticeResponse, pgwire.MsgNegotiateProtocolVersion, pgwire.MsgParameterStatus:
			if err := c.toClient.Pass(f); err != nil {
				return false, err
			}
		default:
			return false, fmt.Errorf("login: %w: %s", protocol.ErrMalformed, pgwire.ServerMessage(f.Type))
		}
	}
}

// serverGone is the end of a login in the middle of which the server went.
func (c *conn) serverGone(s *pgwire.Startup, err error) error {
	c.session.LoginFailed(caller(s, c.client), pgwire.StateConnectionFailure, "the server broke the login off")
	return errors.Join(c.bye(pgwire.StateConnectionFailure, "the server broke the login off"), err)
}

// rejected passes on why the server does not let the client in.
func (c *conn) rejected(s *pgwire.Startup, f pgwire.Frame) error {
	d, err := pgwire.DecodeDiagnostic(f.Body)
	if err != nil {
		return err
	}
	c.session.LoginFailed(caller(s, c.client), d.Code, "the server refused the login")
	if err := c.toClient.Pass(f); err != nil {
		return err
	}
	if err := c.client.Flush(); err != nil {
		return err
	}
	return &session.EndError{Why: "login refused", Err: errors.New("SQLSTATE " + d.Code)}
}

// challenge passes one step of the authentication on, and the client's answer
// back. It returns true when the server has let the client in.
func (c *conn) challenge(s *pgwire.Startup, f pgwire.Frame) (in bool, err error) {
	kind, rest, err := pgwire.DecodeAuthentication(f.Body)
	if err != nil {
		return false, err
	}
	switch kind {
	case pgwire.AuthOK:
		return true, nil
	case pgwire.AuthSASL:
		return false, c.offerSASL(s, rest)
	case pgwire.AuthCleartext, pgwire.AuthMD5, pgwire.AuthSASLContinue:
		if err := c.toClient.Pass(f); err != nil {
			return false, err
		}
		return false, c.passAnswer(nil)
	case pgwire.AuthSASLFinal:
		return false, c.toClient.Pass(f)
	}
	c.session.LoginFailed(caller(s, c.client), pgwire.StateInvalidAuthorization, "a way to log in that cannot pass through")
	return false, c.bye(pgwire.StateInvalidAuthorization, "the server asks for an authentication that cannot pass through a proxy (GSSAPI, SSPI)")
}

// offerSASL offers the client what works through us. Channel binding ties the
// login to the certificate that the client sees, so it works only where that is
// the server's own.
func (c *conn) offerSASL(s *pgwire.Startup, rest []byte) error {
	offered, err := pgwire.DecodeMechanisms(rest)
	if err != nil {
		return err
	}
	kept := offered
	if !c.sameCertificate() {
		kept = pgwire.WithoutChannelBinding(offered)
	}
	if len(kept) == 0 {
		return c.bye(pgwire.StateInvalidAuthorization, "the server insists on channel binding, which cannot pass through a proxy")
	}
	if len(kept) < len(offered) {
		c.session.Log.Debug().Msg("SCRAM-SHA-256-PLUS taken from the server's offer")
	}
	if err := c.toClient.AuthenticationSASL(kept); err != nil {
		return err
	}
	return c.passAnswer(func(body []byte) error { return c.checkBinding(s, body) })
}

// sameCertificate says whether the client was shown the certificate that the
// server showed us: then what binds a login to one binds it to the other.
// https://www.rfc-editor.org/rfc/rfc5929#section-4
func (c *conn) sameCertificate() bool {
	server := c.server.TLS()
	return server != nil && len(server.PeerCertificates) > 0 && c.shown != nil && bytes.Equal(c.shown, server.PeerCertificates[0].Raw)
}

// checkBinding turns away a client that would be refused in words that it cannot
// understand: it says that it could bind the channel but was not offered to, and
// a server that did offer it over its own TLS connection takes that for an attack.
// https://www.rfc-editor.org/rfc/rfc5802#section-6
func (c *conn) checkBinding(s *pgwire.Startup, body []byte) error {
	_, response, err := pgwire.DecodeSASLInitialResponse(body)
	if err != nil {
		return err
	}
	if c.server.TLS() == nil || c.sameCertificate() || !strings.HasPrefix(string(response), "y") {
		return nil
	}
	c.session.LoginFailed(caller(s, c.client), pgwire.StateInvalidAuthorization, "channel binding on both sides")
	return c.bye(pgwire.StateInvalidAuthorization,
		"channel binding cannot pass through a proxy that ends TLS on both sides: connect with channel_binding=disable, give the proxy the server's certificate, or let it reach the server without TLS")
}

// passAnswer passes the client's answer to a challenge on.
func (c *conn) passAnswer(check func(body []byte) error) error {
	if err := c.client.Flush(); err != nil {
		return err
	}
	f, err := c.fromClient.Frame(maxClientLogin)
	if err != nil {
		if errors.Is(err, io.EOF) {
			return &session.EndError{Why: "client gone"} // it asks for a password first and connects again
		}
		return err
	}
	if f.Type == pgwire.MsgTerminate {
		return &session.EndError{Why: "client gone"}
	}
	if f.Type != pgwire.MsgPassword {
		return c.bye(pgwire.StateProtocolViolation, "expected a password, got "+pgwire.ClientMessage(f.Type))
	}
	if check != nil {
		if err := check(f.Body); err != nil {
			return err
		}
	}
	if err := c.toServer.Pass(f); err != nil {
		return err
	}
	return c.toServer.Flush()
}

// welcome decides the role of a client that the server let in, and passes on what
// the server tells until it is ready.
func (c *conn) welcome(s *pgwire.Startup) (started bool, err error) {
	who := caller(s, c.client)
	login := session.Login{Caller: who, Path: []string{"pg_catalog", who.User, "public"}}
	if t := c.client.TLS(); t != nil {
		login.TLS = tls.VersionName(t.Version)
		if len(t.PeerCertificates) > 0 {
			login.Subject = t.PeerCertificates[0].Subject.String()
		}
	}
	if err := c.session.Login(login, &c.up); err != nil {
		return false, c.notWelcome(err, who)
	}
	if c.session.Masked() && replicates(s) {
		return false, c.bye(pgwire.StateInvalidAuthorization, "replication is not for roles with masks")
	}
	if name := c.fixed(s); c.session.Masked() && name != "" {
		return false, c.bye(pgwire.StateInvalidAuthorization, "setting "+name+" may not be brought along by roles with masks (SV109)")
	}
	if err := c.toClient.AuthenticationOK(); err != nil {
		return false, err
	}
	for {
		f, err := c.fromServer.Frame(maxLoginBody)
		if err != nil {
			return false, &session.EndError{Why: "server gone", Err: err}
		}
		if err := c.note(f); err != nil {
			return false, err
		}
		if err := c.toClient.Pass(f); err != nil {
			return false, err
		}
		switch f.Type {
		case pgwire.MsgReadyForQuery:
			if err := c.session.Started(c.down.engine); err != nil {
				return false, err
			}
			c.relay.cancels.put(c.down.pid, c.down.key, c.session)
			return true, c.client.Flush()
		case pgwire.MsgErrorResponse:
			return false, errors.Join(&session.EndError{Why: "the server ended the session"}, c.client.Flush())
		}
	}
}

// fixed is a setting in a StartupMessage that is the server's alone to make, or ""
// where there is none.
func (c *conn) fixed(s *pgwire.Startup) string {
	settings, ok := s.Settings()
	if !ok {
		return "options"
	}
	for _, p := range settings {
		if c.relay.Fixed != nil && c.relay.Fixed(p.Name, p.Value) {
			return p.Name
		}
	}
	return ""
}

// notWelcome tells a client that the policy does not let it in.
func (c *conn) notWelcome(err error, who masking.Caller) error {
	var refusal *session.Refusal
	if errors.As(err, &refusal) {
		return errors.Join(fatal(c.toClient, session.StateOf(refusal), refusal.Message, refusal.Hint), err)
	}
	c.session.Log.Warn().Str("user", who.User).Str("database", who.Database).Msg("the policy has no role for this login")
	return errors.Join(fatal(c.toClient, pgwire.StateInvalidAuthorization,
		fmt.Sprintf("sqlveil: the policy has no role for user %q in database %q", who.User, who.Database),
		"callers and default_role in the policy say who may connect."), err)
}

// note remembers what the server tells of itself at the start.
func (c *conn) note(f pgwire.Frame) error {
	switch f.Type {
	case pgwire.MsgParameterStatus:
		name, value, err := pgwire.DecodeParameterStatus(f.Body)
		if err != nil {
			return err
		}
		c.down.parameter(c, name, value)
	case pgwire.MsgBackendKeyData:
		pid, key, err := pgwire.DecodeBackendKeyData(f.Body)
		if err != nil {
			return err
		}
		c.down.pid, c.down.key = pid, bytes.Clone(key)
	case pgwire.MsgReadyForQuery, pgwire.MsgNoticeResponse, pgwire.MsgErrorResponse, pgwire.MsgNegotiateProtocolVersion:
	default:
		return fmt.Errorf("start of the session: %w: %s", protocol.ErrMalformed, pgwire.ServerMessage(f.Type))
	}
	return nil
}

// replicates says whether a client asks for a replication connection. Like the
// server we know no value as a no but the words for false.
// https://www.postgresql.org/docs/current/protocol-replication.html
func replicates(s *pgwire.Startup) bool {
	switch strings.ToLower(s.Parameter("replication")) {
	case "", "0", "f", "fa", "fal", "fals", "false", "n", "no", "of", "off":
		return false
	}
	return true
}
