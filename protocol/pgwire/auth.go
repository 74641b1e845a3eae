package pgwire

import (
	"strings"

	"sqlveil/protocol"
)

// What an Authentication message says.
// https://www.postgresql.org/docs/current/protocol-message-formats.html
const (
	AuthOK           = 0
	AuthCleartext    = 3
	AuthMD5          = 5
	AuthGSS          = 7
	AuthGSSContinue  = 8
	AuthSSPI         = 9
	AuthSASL         = 10
	AuthSASLContinue = 11
	AuthSASLFinal    = 12
)

// DecodeAuthentication returns what an Authentication message says, and the rest
// of it.
func DecodeAuthentication(body []byte) (kind uint32, rest []byte, err error) {
	c := protocol.Over(body)
	kind, rest = c.Uint32(), c.Rest()
	return kind, rest, failed("Authentication", c.Err())
}

// DecodeMechanisms returns the SASL mechanisms that an AuthenticationSASL offers,
// best first; rest is what DecodeAuthentication returned.
func DecodeMechanisms(rest []byte) ([]string, error) {
	c := protocol.Over(rest)
	var names []string
	for c.Err() == nil {
		name := c.CString()
		if len(name) == 0 {
			break
		}
		names = append(names, string(name))
	}
	return names, failed("AuthenticationSASL", c.End())
}

// WithoutChannelBinding returns the mechanisms that work through somebody who
// ends TLS in between: those with channel binding sign the certificate that the
// client saw, which is ours, where the server expects its own.
func WithoutChannelBinding(mechanisms []string) []string {
	var kept []string
	for _, m := range mechanisms {
		if !strings.HasSuffix(m, "-PLUS") {
			kept = append(kept, m)
		}
	}
	return kept
}

// DecodeSASLInitialResponse returns the mechanism that the client chose. Only
// the answer to AuthenticationSASL has this form.
func DecodeSASLInitialResponse(body []byte) (mechanism, response []byte, err error) {
	c := protocol.Over(body)
	mechanism = c.CString()
	response = decodeValue(&c)
	return mechanism, response, failed("SASLInitialResponse", c.End())
}
