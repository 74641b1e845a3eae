package config

import (
	"crypto/tls"
	"strings"

	"sqlveil/masking"
)

// A Config is sqlveil.yaml with everything that it names. The json tags are the
// keys of the file.
type Config struct {
	Listeners  []Listener `json:"listeners"`
	Keys       Keys       `json:"keys"`
	PolicyPath string     `json:"policy"` // a file, or a directory of *.yaml merged in name order
	Audit      Audit      `json:"audit"`
	Admin      Admin      `json:"admin"`

	Policy *masking.Policy `json:"-"` // compiled from PolicyPath
	Spec   masking.Spec    `json:"-"` // what it was compiled from

	policyRoot *node // where things stand in the policy
}

// PolicyWarning says something about a place in the policy, such as
// "columns", "crm.public.customers.name".
func (c *Config) PolicyWarning(message string, path ...string) Problem {
	warning := c.policyRoot.locate(path).at(message)
	warning.Warning = true
	return warning
}

// A Listener is one place where clients connect, and the server behind it.
type Listener struct {
	Name     string    `json:"name"`
	Protocol string    `json:"protocol"` // "postgres" or "mysql"
	Listen   Address   `json:"listen"`
	TLS      ClientTLS `json:"tls"`
	Server   Server    `json:"server"`
	Login    string    `json:"login"` // "passthrough": the server checks the client's password itself
	Catalog  Catalog   `json:"catalog"`
}

// The protocols that a listener can speak.
const (
	Postgres = "postgres"
	MySQL    = "mysql"
)

// Passthrough is the one way of logging in.
const Passthrough = "passthrough"

// A Server is the database behind a listener.
type Server struct {
	Address Address   `json:"address"` // for PostgreSQL also a directory with the server's socket
	TLS     ServerTLS `json:"tls"`
}

// A Catalog is the account that reads table definitions.
type Catalog struct {
	User         string `json:"user"`
	PasswordFile string `json:"password_file"` // may be left out where the server asks for none

	Password string `json:"-"` // what is in PasswordFile, without the newline at the end
}

// An Address is host:port or the path of a unix socket.
type Address string

// Network returns "unix" for a path and "tcp" for anything else.
func (a Address) Network() string {
	if strings.Contains(string(a), "/") {
		return "unix"
	}
	return "tcp"
}

// String returns the address as [net.Dial] wants it.
func (a Address) String() string { return string(a) }

// TLSMode says how much TLS a connection gets.
type TLSMode string

// The TLS modes; a listener knows the first three.
const (
	TLSDisable    TLSMode = "disable"
	TLSPrefer     TLSMode = "prefer"
	TLSRequire    TLSMode = "require"
	TLSVerifyCA   TLSMode = "verify-ca"   // and the server's certificate comes from a known authority
	TLSVerifyFull TLSMode = "verify-full" // and is for the host that was dialled
)

// A ClientTLS is the TLS that a listener offers.
type ClientTLS struct {
	Mode        TLSMode `json:"mode"` // disable when left out
	Certificate string  `json:"certificate"`
	Key         string  `json:"key"`
	ClientCA    string  `json:"client_ca"` // clients may show a certificate of these authorities

	Config *tls.Config `json:"-"` // nil for TLSDisable
}

// A ServerTLS is the TLS towards a server.
type ServerTLS struct {
	Mode        TLSMode `json:"mode"` // prefer when left out
	CA          string  `json:"ca"`   // the system's authorities when left out
	ServerName  string  `json:"server_name"`
	Certificate string  `json:"certificate"` // to show the server
	Key         string  `json:"key"`

	Config *tls.Config `json:"-"` // nil for TLSDisable
}

// Keys are the secrets that masks need.
type Keys struct {
	Masking string `json:"masking"` // a file of 32 random bytes in base64

	MaskingKey []byte `json:"-"` // what is in it; nil when there is none
}

// An Audit says where and how the audit log is kept.
type Audit struct {
	Directory     string     `json:"directory"`
	Durability    Durability `json:"durability"`     // classified when left out
	Node          string     `json:"node"`           // this proxy's name in the records; the host's when left out
	Keys          string     `json:"keys"`           // the directory of the log's keys; below Directory when left out
	Text          string     `json:"text"`           // "sealed" keeps original texts too, encrypted for the auditors
	Shed          bool       `json:"shed"`           // with spool: go on unrecorded while the log cannot be written
	RetentionDays int        `json:"retention_days"` // 0 when left out
	Anchors       []string   `json:"anchors"`        // where signed checkpoints are sent; see [anchor.Open]
}

// Durability says what the death of the machine may cost of the audit log.
type Durability string

// The durabilities.
const (
	Strict     Durability = "strict"     // nothing
	Classified Durability = "classified" // the last moment, but for statements that touch labelled columns
	Spool      Durability = "spool"      // the last moment
)

// SealedText is the value of Audit.Text that keeps original texts.
const SealedText = "sealed"

// shortestRetention is how many days audit records are kept at least: six
// months, by Article 21 of China's Cybersecurity Law.
const shortestRetention = 180

// An Admin is where metrics, health and the review page are served; not at all
// without an address.
type Admin struct {
	Listen Address `json:"listen"`
}
