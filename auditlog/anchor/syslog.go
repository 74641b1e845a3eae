package anchor

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"time"
)

// syslog sends checkpoints to a syslog server, in a connection of its own for
// each: they are few.
type syslog struct {
	url     *url.URL
	network string
	address string
	secure  bool
	host    string // ours
}

func newSyslog(u *url.URL) (*syslog, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	s := &syslog{url: u, address: u.Host, host: host, network: "udp"}
	switch {
	case u.Host == "":
		s.network, s.address = "unixgram", u.Path
	case u.Scheme == "syslog+tcp":
		s.network = "tcp"
	case u.Scheme == "syslog+tls":
		s.network, s.secure = "tcp", true
	}
	if s.network != "unixgram" && u.Port() == "" {
		return nil, fmt.Errorf("anchor %s: no port", u)
	}
	return s, nil
}

func (s *syslog) String() string { return s.url.Redacted() }

// Publish sends one message.
func (s *syslog) Publish(ctx context.Context, signed []byte) error {
	message, err := s.message(signed, time.Now())
	if err != nil {
		return err
	}
	if s.network == "tcp" { // https://www.rfc-editor.org/rfc/rfc6587#section-3.4.1
		message = append(fmt.Appendf(nil, "%d ", len(message)), message...)
	}
	conn, err := s.dial(ctx)
	if err != nil {
		return err
	}
	if deadline, ok := ctx.Deadline(); ok {
		err = conn.SetDeadline(deadline)
	}
	if err == nil {
		_, err = conn.Write(message)
	}
	return errors.Join(err, conn.Close())
}

func (s *syslog) dial(ctx context.Context) (net.Conn, error) {
	if s.secure {
		d := tls.Dialer{Config: &tls.Config{MinVersion: tls.VersionTLS12}}
		return d.DialContext(ctx, s.network, s.address)
	}
	var d net.Dialer
	return d.DialContext(ctx, s.network, s.address)
}

// message is RFC 5424: facility 13 (log audit), severity 5 (notice).
// https://www.rfc-editor.org/rfc/rfc5424#section-6
func (s *syslog) message(signed []byte, now time.Time) ([]byte, error) {
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false) // signatures are full of plus signs
	if err := encoder.Encode(string(signed)); err != nil {
		return nil, err
	}
	const priority = 13*8 + 5
	return fmt.Appendf(nil, "<%d>1 %s %s sqlveil %d checkpoint - %s%s", priority,
		now.UTC().Format("2006-01-02T15:04:05.000000Z"), s.host, os.Getpid(), marker, strings.TrimSpace(text.String())), nil
}
