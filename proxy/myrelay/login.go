package myrelay

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"sqlveil/masking"
	"sqlveil/protocol"
	"sqlveil/protocol/mywire"
	"sqlveil/proxy/session"
)

const (
	// maxClientLogin bounds what a client may send that nobody knows yet.
	maxClientLogin = 64 << 10
	// maxServerLogin bounds what the server says while it lets a client in.
	maxServerLogin = 64 << 10
)

const stateConnection = "08S01"

// codeCannotConnect is ER_CONNECT_TO_FOREIGN_DATA_SOURCE's neighbour that clients
// show for a server which is not there (CR_CONN_HOST_ERROR).
const codeCannotConnect = 2003

// logIn brings a client from the server's greeting to the server's OK. It returns
// false when the session ended before that.
func (c *conn) logIn(ctx context.Context) (started bool, err error) {
	timeout := c.relay.LoginTimeout
	if timeout == 0 {
		timeout = defaultLoginTimeout
	}
	ctx, done := context.WithTimeout(ctx, timeout)
	defer done()
	deadline := time.Now().Add(timeout)
	_ = c.client.Transport().SetDeadline(deadline) // fails only on a closed connection
	if err := c.dial(ctx); err != nil {
		c.session.LoginFailed(masking.Caller{}, stateConnection, "the server cannot be reached")
		c.session.Log.Error().Err(err).Str("server", c.relay.Address).Msg("the server cannot be reached")
		return false, c.bye(codeCannotConnect, "HY000", "the server cannot be reached")
	}
	_ = c.server.Transport().SetDeadline(deadline)
	unhook := context.AfterFunc(ctx, func() { c.server.Transport().Close() })
	defer unhook()
	login, plugin, err := c.greet(ctx)
	if err != nil || login == nil {
		return false, err
	}
	started, err = c.authenticate(login, plugin)
	if err != nil || !started {
		return started, err
	}
	_ = c.client.Transport().SetDeadline(time.Time{})
	_ = c.server.Transport().SetDeadline(time.Time{})
	return true, nil
}

func (c *conn) dial(ctx context.Context) error {
	connect := c.relay.Dial
	if connect == nil {
		connect = new(net.Dialer).DialContext
	}
	nc, err := connect(ctx, c.relay.Network, c.relay.Address)
	if err != nil {
		return err
	}
	c.server = mywire.NewConn(protocol.NewConn(nc))
	c.server.Transport().WriteTimeout = c.relay.WriteTimeout
	return nil
}

// greet passes the server's greeting on and returns the client's answer, with TLS
// on each side as its mode says. It is nil when the server turned the client away.
func (c *conn) greet(ctx context.Context) (login *mywire.Login, plugin string, err error) {
	p, err := c.server.Packet(maxServerLogin)
	if err != nil {
		return nil, "", c.serverGone(nil, err)
	}
	if mywire.ReplyToLogin(mywire.Header{Size: len(p.Body), First: first(p.Body)}) == mywire.ReplyError {
		return nil, "", c.rejected(nil, p.Body)
	}
	greeting, err := mywire.DecodeGreeting(p.Body)
	if err != nil {
		return nil, "", errors.Join(c.bye(mywire.CodeHandshake, stateConnection, "the server's greeting was not understood"), err)
	}
	offered := greeting.Capabilities
	c.challenge = greeting.Challenge
	c.version, c.thread = greeting.Version, greeting.ThreadID
	greeting.Capabilities = offered.Readable() &^ mywire.CapSSL
	if !c.relay.ClientTLSMod.Off() {
		greeting.Capabilities |= mywire.CapSSL
	}
	if err := c.client.Write(greeting.Append(nil)); err != nil {
		return nil, "", err
	}
	if err := c.client.Flush(); err != nil {
		return nil, "", err
	}
	if login, err = c.answerOf(ctx, greeting.Capabilities); err != nil {
		return nil, "", err
	}
	c.agreed = login.Capabilities & greeting.Capabilities &^ mywire.CapSSL
	login.Capabilities = c.agreed
	if err := c.encrypt(ctx, login, offered); err != nil {
		return nil, "", err
	}
	if login.Plugin == "" {
		login.Plugin = greeting.Plugin
	}
	if sendsPassword(login.Plugin) && c.wouldExpose() {
		return nil, "", c.exposed(login)
	}
	body, err := login.Append(nil)
	if err != nil {
		return nil, "", err
	}
	if err := c.server.Write(body); err != nil {
		return nil, "", c.serverGone(login, err)
	}
	return login, login.Plugin, nil
}

func first(body []byte) byte {
	if len(body) == 0 {
		return 0
	}
	return body[0]
}

// answerOf reads the client's answer to the greeting; its slices are its own.
func (c *conn) answerOf(ctx context.Context, offered mywire.Capabilities) (*mywire.Login, error) {
	p, err := c.client.Packet(maxClientLogin)
	if err != nil {
		return nil, c.badStart(err)
	}
	if offered.Has(mywire.CapSSL) && mywire.IsSSLRequest(p.Body) {
		if err := c.startClientTLS(ctx); err != nil {
			return nil, &session.EndError{Why: "TLS handshake failed", Err: err}
		}
		if p, err = c.client.Packet(maxClientLogin); err != nil {
			return nil, c.badStart(err)
		}
	}
	login, err := mywire.DecodeLogin(append([]byte(nil), p.Body...))
	if err != nil {
		return nil, c.badStart(err)
	}
	if mywire.IsSSLRequest(p.Body) {
		return nil, c.bye(mywire.CodeHandshake, stateConnection, "TLS was asked for where it is not offered")
	}
	if c.relay.ClientTLSMod == session.TLSRequire && c.client.Transport().TLS() == nil {
		c.session.LoginFailed(c.caller(login), session.StateInvalidAuthorization, "no TLS")
		return nil, c.bye(mywire.CodeSecureTransport, "HY000", "this listener takes TLS connections only")
	}
	if compressing := login.Capabilities & (mywire.CapCompress | mywire.CapZstd); compressing&^offered != 0 {
		return nil, c.compressed(login)
	}
	return login, nil
}

// compressed turns a client away that will compress although nobody offered it, as
// PHP's mysqlnd does: left alone, it would wait for ever for an answer to what
// nobody here can read.
func (c *conn) compressed(login *mywire.Login) error {
	c.session.LoginFailed(c.caller(login), stateConnection, "the client insists on compression")
	return c.bye(mywire.CodeHandshake, stateConnection, "compression is not offered: connect without it")
}

// badStart is the end of a connection whose first packet is not one.
func (c *conn) badStart(err error) error {
	if errors.Is(err, protocol.ErrMalformed) || errors.Is(err, protocol.ErrTooLarge) {
		return errors.Join(c.bye(mywire.CodeHandshake, stateConnection, "bad handshake"), err)
	}
	return &session.EndError{Why: "client gone", Err: err} // a port scan, a health check
}

// startClientTLS starts TLS with a client that asked for it. Nobody answers that:
// what follows in the buffer is the start of the handshake, and read as such.
func (c *conn) startClientTLS(ctx context.Context) error {
	if err := c.client.Discard(); err != nil {
		return err
	}
	config := c.relay.ClientTLS().Clone()
	config.MinVersion = max(config.MinVersion, tls.VersionTLS12)
	config.SessionTicketsDisabled = true // a client's certificate is looked at anew each time
	return c.client.Transport().StartDirectTLS(ctx, config)
}

// encrypt starts TLS towards the server as the mode says. It never falls back from
// a handshake that failed.
func (c *conn) encrypt(ctx context.Context, login *mywire.Login, offered mywire.Capabilities) error {
	mode := c.relay.ServerTLSMod
	if mode.Off() || c.relay.Network == "unix" {
		return nil
	}
	if !offered.Has(mywire.CapSSL) {
		if mode == session.TLSPrefer {
			return nil
		}
		c.session.LoginFailed(c.caller(login), stateConnection, "the server does not offer TLS")
		return c.bye(mywire.CodeSecureTransport, "HY000", "the server does not offer TLS")
	}
	login.Capabilities |= mywire.CapSSL
	if err := c.server.Write(login.AppendSSLRequest(nil)); err != nil {
		return c.serverGone(login, err)
	}
	if err := c.server.Discard(); err != nil {
		return err
	}
	if err := c.server.Transport().StartTLSClient(ctx, mode.ServerTLS(c.relay.ServerTLS, c.relay.Address)); err != nil {
		c.session.Log.Error().Err(err).Str("server", c.relay.Address).Msg("TLS with the server")
		return c.serverGone(login, err)
	}
	return nil
}

// caller is what a login and its connection tell of the client.
func (c *conn) caller(l *mywire.Login) masking.Caller {
	if l == nil {
		return masking.Caller{}
	}
	who := masking.Caller{User: string(l.User), Database: string(l.Database), Application: l.Attribute("program_name")}
	transport := c.client.Transport()
	if a, ok := transport.RemoteAddr().(*net.TCPAddr); ok {
		who.Address, _ = netip.AddrFromSlice(a.IP)
		who.Address = who.Address.Unmap()
	}
	if t := transport.TLS(); t != nil && len(t.VerifiedChains) > 0 {
		who.CertificateName = t.PeerCertificates[0].Subject.CommonName
	}
	return who
}

// serverGone is the end of a login in the middle of which the server went.
func (c *conn) serverGone(l *mywire.Login, err error) error {
	c.session.LoginFailed(c.caller(l), stateConnection, "the server broke the login off")
	return errors.Join(c.bye(codeCannotConnect, "HY000", "the server broke the login off"), err)
}

// rejected passes on why the server does not let the client in.
func (c *conn) rejected(l *mywire.Login, body []byte) error {
	e, err := mywire.DecodeError(body)
	if err != nil {
		return err
	}
	c.session.LoginFailed(c.caller(l), e.State, "the server refused the login")
	if err := c.client.Write(body); err != nil {
		return err
	}
	if err := c.client.Flush(); err != nil {
		return err
	}
	return &session.EndError{Why: "login refused", Err: fmt.Errorf("error %d: %w", e.Code, errRejected)}
}

// errRejected is the end of a login that the server refused.
var errRejected = errors.New("the server refused the login")

// Authentication methods that something has to be known of.
const (
	cachingSHA2    = "caching_sha2_password"
	clearPassword  = "mysql_clear_password"
	dialogPlugin   = "dialog"
	sha256Password = "sha256_password"
)

// sendsPassword says whether a client with TLS answers a method with the password itself.
func sendsPassword(plugin string) bool {
	return plugin == clearPassword || plugin == dialogPlugin || plugin == sha256Password
}

// authenticate passes the login on until the server lets the client in.
func (c *conn) authenticate(l *mywire.Login, plugin string) (started bool, err error) {
	for {
		if err := c.server.Flush(); err != nil {
			return false, c.serverGone(l, err)
		}
		h, err := c.server.Next()
		if err != nil {
			return false, c.serverGone(l, err)
		}
		body, err := c.server.Body(maxServerLogin)
		if err != nil {
			return false, c.serverGone(l, err)
		}
		expects, full := true, false
		switch mywire.ReplyToLogin(h) {
		case mywire.ReplyOK:
			return c.welcome(l, body)
		case mywire.ReplyError:
			return false, c.rejected(l, body)
		case mywire.ReplyAuthSwitch:
			change, err := mywire.DecodeAuthSwitch(body)
			if err != nil {
				return false, errors.Join(c.bye(mywire.CodeHandshake, stateConnection, "the server asks for an authentication that is too old"), err)
			}
			plugin, c.challenge = change.Plugin, change.Challenge
		case mywire.ReplyAuthMore:
			more, err := mywire.DecodeAuthMore(body)
			if err != nil {
				return false, err
			}
			short := plugin == cachingSHA2 && len(more) == 1
			expects, full = !short || more[0] != fastAuthOK, short && more[0] == fullAuth
		}
		if (full || sendsPassword(plugin)) && c.wouldExpose() {
			return false, c.exposed(l)
		}
		if err := c.client.Write(body); err != nil {
			return false, err
		}
		if err := c.client.Flush(); err != nil {
			return false, err
		}
		if !expects {
			continue
		}
		read := c.clientAnswer
		if full && c.safeForServer() {
			read = c.sealed
		}
		answer, err := read()
		if err != nil {
			return false, err
		}
		err = c.server.Write(answer)
		clear(answer) // it may be a password
		if err != nil {
			return false, c.serverGone(l, err)
		}
	}
}

// wouldExpose says whether a password that the client sends as it is, trusting its
// own connection, would go on unencrypted.
func (c *conn) wouldExpose() bool { return c.safeForClient() && !c.safeForServer() }

func (c *conn) exposed(l *mywire.Login) error {
	c.session.LoginFailed(c.caller(l), session.StateInvalidAuthorization, "the password would cross the network unencrypted")
	return c.bye(mywire.CodeSecureTransport, "HY000",
		"this login needs the password itself, which must not go to the server unencrypted: let the proxy reach the server with TLS")
}

// welcome decides the role of a client that the server let in.
func (c *conn) welcome(l *mywire.Login, body []byte) (started bool, err error) {
	who := c.caller(l)
	login := session.Login{Caller: who}
	if who.Database != "" {
		login.Path = []string{who.Database}
	}
	if t := c.client.Transport().TLS(); t != nil {
		login.TLS = tls.VersionName(t.Version)
		if len(t.PeerCertificates) > 0 {
			login.Subject = t.PeerCertificates[0].Subject.String()
		}
	}
	if err := c.session.Login(login, c); err != nil {
		return false, c.notWelcome(err, who)
	}
	ok, err := mywire.DecodeOK(body, c.agreed)
	if err != nil {
		return false, err
	}
	c.status = ok.Status
	if !c.started {
		if err := c.session.Started(c.version); err != nil {
			return false, c.notWelcome(err, who)
		}
		c.started = true
	}
	if err := c.client.Write(body); err != nil {
		return false, err
	}
	return true, c.client.Flush()
}

// notWelcome tells a client that the policy does not let it in.
func (c *conn) notWelcome(err error, who masking.Caller) error {
	told := &mywire.Error{
		Code: mywire.CodeAccessDenied, State: session.StateInvalidAuthorization,
		Message: fmt.Sprintf("sqlveil: the policy has no role for user %q in database %q", who.User, who.Database),
	}
	var refusal *session.Refusal
	if errors.As(err, &refusal) {
		told = errorOf(refusal)
	} else {
		c.session.Log.Warn().Str("user", who.User).Str("database", who.Database).Msg("the policy has no role for this login")
	}
	if werr := c.client.Write(told.Append(nil)); werr != nil {
		return errors.Join(err, werr)
	}
	return errors.Join(err, c.client.Flush())
}
