package config

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sqlveil/masking"
)

// directory makes a directory with everything that the examples name.
func directory(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	certificate, key := selfSigned(t)
	for name, data := range map[string][]byte{
		"proxy.crt":      certificate,
		"proxy.key":      key,
		"clients.pem":    certificate,
		"db-ca.pem":      certificate,
		"catalog.secret": []byte("s3cret word \n"),
		"masking.key":    []byte(base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32)) + "\n"),
	} {
		write(t, filepath.Join(dir, name), data)
	}
	for _, name := range []string{"example.yaml", "example-policy.yaml"} {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, name), data)
	}
	return dir
}

func write(t testing.TB, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// selfSigned makes a certificate for localhost and its key, in PEM form.
func selfSigned(t testing.TB) (certificate, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "localhost"},
		DNSNames:              []string{"localhost"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
}

// load loads a file that has nothing wrong.
func load(t *testing.T, path string) *Config {
	t.Helper()
	c, problems := Load(path)
	for _, p := range problems {
		t.Error(p)
	}
	if c == nil {
		t.FailNow()
	}
	return c
}

func TestExample(t *testing.T) {
	dir := directory(t)
	c := load(t, filepath.Join(dir, "example.yaml"))

	crm, shop := c.Listeners[0], c.Listeners[1]
	if crm.Catalog.Password != "s3cret word " {
		t.Errorf("the password is %q", crm.Catalog.Password)
	}
	if crm.TLS.Config == nil || len(crm.TLS.Config.Certificates) != 1 || crm.TLS.Config.ClientAuth != tls.VerifyClientCertIfGiven {
		t.Errorf("TLS towards clients is %+v", crm.TLS.Config)
	}
	if s := crm.Server.TLS.Config; s == nil || s.ServerName != "127.0.0.1" || s.InsecureSkipVerify || s.RootCAs == nil {
		t.Errorf("TLS towards the server is %+v", s)
	}
	if shop.Server.Address.Network() != "unix" || shop.Server.TLS.Mode != TLSDisable || shop.TLS.Mode != TLSDisable || shop.Login != Passthrough {
		t.Errorf("the second listener is %+v", shop)
	}
	if c.Audit.Directory != filepath.Join(dir, "audit") || c.Audit.Durability != Classified {
		t.Errorf("the audit log is %+v", c.Audit)
	}
	if !bytes.Equal(c.Keys.MaskingKey, bytes.Repeat([]byte{7}, 32)) {
		t.Errorf("the masking key is %x", c.Keys.MaskingKey)
	}

	role, ok := c.Policy.Match(masking.Caller{User: "someone", CertificateName: "helpdesk"})
	if !ok || role.Name() != "support" {
		t.Fatalf("the role is %v", role)
	}
	label, ok := c.Policy.Label(masking.Column{Database: "shop", Table: "customers", Name: "id_card"})
	if !ok || label.Class().Name != "resident-id" {
		t.Fatalf("the label is %+v", label)
	}
	out, _ := masking.Apply(role.Mask(label), nil, []byte("11010519491231002X"), masking.Type{Kind: masking.KindText})
	if string(out) != "**************002X" {
		t.Errorf("the role sees %q", out)
	}
}

// TestPolicyDirectory checks that the files of a directory are put together.
func TestPolicyDirectory(t *testing.T) {
	dir := directory(t)
	policy := filepath.Join(dir, "policy")
	if err := os.Mkdir(policy, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"10-levels.yaml":  "version: 1\nlevels: [low, high]\nunlabelled: visible\nclasses:\n  a: {level: high, mask: {redact: {}}}\ncolumns:\n  d.s.t.a: a\n",
		"20-b.yaml":       "version: 1\nclasses:\n  b: {level: high, mask: {email: {}}}\ncolumns:\n  d.s.t.b: b\nroles:\n  r: {clearance: low}\ncallers: [{user: x, role: r}]\nfunctions: {trusted: [s.f]}\n",
		"30-c.yaml":       "callers: [{user: y, role: r}]\nfunctions: {trusted: [s.g]}\n",
		".hidden.yaml":    "nonsense: 1\n",
		"README.markdown": "not read",
	} {
		write(t, filepath.Join(policy, name), []byte(text))
	}
	example, err := os.ReadFile("example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "sqlveil.yaml")
	write(t, path, bytes.Replace(example, []byte("example-policy.yaml"), []byte("policy"), 1))
	c := load(t, path)
	for _, user := range []string{"x", "y"} {
		if _, ok := c.Policy.Match(masking.Caller{User: user}); !ok {
			t.Errorf("%s has no role", user)
		}
	}
	for _, function := range []string{"f", "g"} {
		if !c.Policy.Trusted("s", function) {
			t.Errorf("%s is not trusted", function)
		}
	}
	if l, ok := c.Policy.Label(masking.Column{Database: "d", Schema: "s", Table: "t", Name: "b"}); !ok || l.Class().Name != "b" {
		t.Errorf("the label is %v", l)
	}

	write(t, filepath.Join(policy, "40-again.yaml"), []byte("levels: [x]\nclasses:\n  a: {level: low}\nunlabelled: masked\n"))
	_, problems := Load(path)
	var got []string
	for _, p := range problems {
		got = append(got, strings.ReplaceAll(p.String(), policy+"/", ""))
	}
	want := []string{
		`40-again.yaml:1:1: "levels" is said already in 10-levels.yaml:2`,
		`40-again.yaml:3:3: "a" is said already in 10-levels.yaml:5`,
		`40-again.yaml:4:1: "unlabelled" is said already in 10-levels.yaml:3`,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestVerifyCA checks that verify-ca looks at where the certificate comes from,
// and not at the name in it.
func TestVerifyCA(t *testing.T) {
	dir := directory(t)
	example, err := os.ReadFile("example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "sqlveil.yaml")
	write(t, path, bytes.Replace(example, []byte("verify-full"), []byte("verify-ca"), 1))
	c := load(t, path)
	good := c.Listeners[0].TLS.Config.Certificates[0]
	certificate, key := selfSigned(t)
	bad, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		cert tls.Certificate
		ok   bool
	}{{"known", good, true}, {"unknown", bad, false}} {
		listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{test.cert}})
		if err != nil {
			t.Fatal(err)
		}
		served := make(chan struct{})
		go func() {
			defer close(served)
			if server, err := listener.Accept(); err == nil {
				_, _ = io.Copy(io.Discard, server) // the handshake; its end is the client's to judge
				server.Close()
			}
		}()
		client, err := tls.Dial("tcp", listener.Addr().String(), c.Listeners[0].Server.TLS.Config)
		if err == nil {
			client.Close()
		}
		<-served
		listener.Close()
		if (err == nil) != test.ok {
			t.Errorf("a certificate of an %s authority: %v", test.name, err)
		}
	}
}

func TestMissingFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none.yaml")
	c, problems := Load(path)
	if c != nil || len(problems) != 1 || problems[0].String() != path+": there is no such file" {
		t.Errorf("got %v, %v", c, problems)
	}
}
