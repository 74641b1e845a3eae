package session

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
)

// TLSMode says whether a connection is encrypted, in libpq's words.
type TLSMode string

// The modes. On the client's side only the first three make sense.
const (
	TLSDisable    TLSMode = "disable"
	TLSPrefer     TLSMode = "prefer"
	TLSRequire    TLSMode = "require"
	TLSVerifyCA   TLSMode = "verify-ca"
	TLSVerifyFull TLSMode = "verify-full"
)

// Off says that TLS is not to be used.
func (m TLSMode) Off() bool { return m == TLSDisable || m == "" }

// ServerTLS is the configuration that does what the mode promises: prefer and
// require do not ask who the server is, unless require was given authorities;
// verify-ca asks who signed, verify-full for the name too.
func (m TLSMode) ServerTLS(base *tls.Config, address string) *tls.Config {
	config := &tls.Config{}
	if base != nil {
		config = base.Clone()
	}
	config.MinVersion = max(config.MinVersion, tls.VersionTLS12)
	if config.ServerName == "" {
		if host, _, err := net.SplitHostPort(address); err == nil {
			config.ServerName = host
		}
	}
	if m == TLSVerifyFull {
		return config
	}
	config.InsecureSkipVerify = true
	if m == TLSVerifyCA || m == TLSRequire && config.RootCAs != nil {
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
