package config

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
)

// maskingKeyLength is how many bytes the masking key has.
const maskingKeyLength = 32

// readFiles reads the keys, passwords and certificates that the file names.
func (l *loader) readFiles() {
	l.readMaskingKey()
	for i := range l.config.Listeners {
		listener := &l.config.Listeners[i]
		at := func(keys ...string) []string { return listenerPath(i, keys...) }
		if file := listener.Catalog.PasswordFile; file != "" {
			data := l.read(at("catalog", "password_file"), file)
			listener.Catalog.Password = strings.TrimRight(string(data), "\r\n")
			if data != nil && listener.Catalog.Password == "" {
				l.problem(at("catalog", "password_file"), "%s holds no password", file)
			}
		}
		l.clientTLS(at("tls"), &listener.TLS)
		l.serverTLS(at("server", "tls"), &listener.Server)
	}
}

// read reads a file that the value at path names, nil when it cannot.
func (l *loader) read(path []string, file string) []byte {
	data, err := os.ReadFile(file)
	if err != nil {
		l.problem(path, "%s: %s", file, fileError("read", err))
		return nil
	}
	return data
}

func (l *loader) readMaskingKey() {
	file, path := l.config.Keys.Masking, []string{"keys", "masking"}
	if file == "" {
		return
	}
	data := l.read(path, file)
	if data == nil {
		return
	}
	text := strings.TrimRight(string(bytes.TrimSpace(data)), "=")
	key, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil || len(key) != maskingKeyLength {
		l.problem(path, "%s: want %d random bytes in base64; sqlveil keygen makes them", file, maskingKeyLength)
		return
	}
	l.config.Keys.MaskingKey = key
}

// clientTLS reads what a listener shows its clients.
func (l *loader) clientTLS(path []string, t *ClientTLS) {
	if t.Mode == TLSDisable {
		return
	}
	t.Config = &tls.Config{MinVersion: tls.VersionTLS12}
	if t.Certificate == "" || t.Key == "" {
		l.problem(path, "tls needs a certificate and a key, unless its mode is disable")
		return
	}
	t.Config.Certificates = l.keyPair(path, t.Certificate, t.Key)
	if t.ClientCA != "" {
		t.Config.ClientCAs = l.authorities(append(path, "client_ca"), t.ClientCA)
		t.Config.ClientAuth = tls.VerifyClientCertIfGiven
	}
}

// serverTLS prepares the TLS towards a server.
func (l *loader) serverTLS(path []string, s *Server) {
	t := &s.TLS
	if t.Mode == TLSDisable {
		return
	}
	t.Config = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if host, _, err := net.SplitHostPort(string(s.Address)); err == nil && t.ServerName == "" {
		t.Config.ServerName = host
	}
	if t.CA != "" {
		t.Config.RootCAs = l.authorities(append(path, "ca"), t.CA)
	}
	switch {
	case t.Certificate != "" && t.Key != "":
		t.Config.Certificates = l.keyPair(path, t.Certificate, t.Key)
	case t.Certificate != "" || t.Key != "":
		l.problem(path, "certificate and key belong together")
	}
	switch t.Mode {
	case TLSPrefer, TLSRequire:
		t.Config.InsecureSkipVerify = true // as libpq has it: encrypted, from whomever
	case TLSVerifyCA:
		t.Config.InsecureSkipVerify = true // replaced by the check of the chain alone
		t.Config.VerifyConnection = verifyChain(t.Config.RootCAs)
	}
}

var errNoCertificate = errors.New("the server shows no certificate")

// verifyChain checks where a server's certificate comes from, not what host it
// is for.
func verifyChain(roots *x509.CertPool) func(tls.ConnectionState) error {
	return func(state tls.ConnectionState) error {
		if len(state.PeerCertificates) == 0 {
			return errNoCertificate
		}
		options := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
		for _, certificate := range state.PeerCertificates[1:] {
			options.Intermediates.AddCert(certificate)
		}
		_, err := state.PeerCertificates[0].Verify(options)
		return err
	}
}

// keyPair reads a certificate and its key, files that are named under path.
func (l *loader) keyPair(path []string, certificate, key string) []tls.Certificate {
	certificatePEM := l.read(append(path, "certificate"), certificate)
	keyPEM := l.read(append(path, "key"), key)
	if certificatePEM == nil || keyPEM == nil {
		return nil
	}
	pair, err := tls.X509KeyPair(certificatePEM, keyPEM)
	if err != nil {
		l.problem(append(path, "certificate"), "%s and %s: %s", certificate, key, strings.TrimPrefix(err.Error(), "tls: "))
		return nil
	}
	return []tls.Certificate{pair}
}

// authorities reads a file of certificates.
func (l *loader) authorities(path []string, file string) *x509.CertPool {
	pool := x509.NewCertPool()
	if data := l.read(path, file); data != nil && !pool.AppendCertsFromPEM(data) {
		l.problem(path, "%s", fmt.Sprintf("%s holds no certificate in PEM form", file))
	}
	return pool
}
