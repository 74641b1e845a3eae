package pgwire

import (
	"bytes"

	"sqlveil/protocol"
)

// Transaction states, as ReadyForQuery reports them.
const (
	TxIdle   = 'I'
	TxOpen   = 'T'
	TxFailed = 'E'
)

// DecodeReadyForQuery returns the state of the transaction.
func DecodeReadyForQuery(body []byte) (byte, error) {
	c := protocol.Over(body)
	state := c.Uint8()
	if state != TxIdle && state != TxOpen && state != TxFailed {
		c.Fail("no such state of a transaction")
	}
	return state, failed("ReadyForQuery", c.End())
}

// DecodeCommandComplete returns the tag of a completed command and the number of
// rows that it counts, -1 for a command that counts none.
func DecodeCommandComplete(body []byte) (tag []byte, rows int64, err error) {
	c := protocol.Over(body)
	tag = c.CString()
	return tag, tagRows(tag), failed("CommandComplete", c.End())
}

// tagRows returns the number at the end of a tag.
func tagRows(tag []byte) int64 {
	digits := tag[bytes.LastIndexByte(tag, ' ')+1:]
	if len(digits) == 0 || len(digits) > 18 {
		return -1
	}
	var n int64
	for _, d := range digits {
		if d < '0' || d > '9' {
			return -1
		}
		n = 10*n + int64(d-'0')
	}
	return n
}

// DecodeBackendKeyData returns what a CancelRequest for the session must hold.
// The key is four bytes before protocol 3.2, and up to 256 since.
func DecodeBackendKeyData(body []byte) (processID uint32, key []byte, err error) {
	c := protocol.Over(body)
	processID = c.Uint32()
	if n := c.Len(); n < 4 || n > maxCancelKey {
		c.Fail("the key has a wrong length")
	}
	key = c.Rest()
	return processID, key, failed("BackendKeyData", c.Err())
}

// BackendKeyData writes a key of ours, of any length that the protocol allows.
func (w *Writer) BackendKeyData(processID uint32, key []byte) error {
	dst, err := w.Begin(MsgBackendKeyData, 4+len(key))
	if err != nil {
		return err
	}
	return w.End(append(protocol.AppendUint32(dst, processID), key...))
}

// DecodeNegotiateProtocolVersion returns the version that the server offers and
// the protocol extensions that it does not know.
func DecodeNegotiateProtocolVersion(body []byte) (version uint32, unknown []string, err error) {
	c := protocol.Over(body)
	version = c.Uint32()
	n := c.Uint32()
	if int64(n) > int64(c.Len()) {
		c.Fail("a count exceeds the message")
		n = 0
	}
	for range n {
		unknown = append(unknown, string(c.CString()))
	}
	return version, unknown, failed("NegotiateProtocolVersion", c.End())
}

// NegotiateProtocolVersion writes the newest version that we speak and the
// extensions that we do not know, for a client that asked for more.
func (w *Writer) NegotiateProtocolVersion(version uint32, unknown []string) error {
	dst, err := w.Begin(MsgNegotiateProtocolVersion, maxStartup)
	if err != nil {
		return err
	}
	dst = protocol.AppendUint32(dst, version)
	dst = protocol.AppendUint32(dst, uint32(len(unknown)))
	for _, name := range unknown {
		dst = protocol.AppendCString(dst, name)
	}
	return w.End(dst)
}

// A CopyResponse is the body of CopyInResponse, CopyOutResponse and
// CopyBothResponse.
type CopyResponse struct {
	Binary  bool
	Formats []int16 // of each column
}

// DecodeCopyResponse decodes the start of a COPY.
func DecodeCopyResponse(body []byte) (CopyResponse, error) {
	c := protocol.Over(body)
	format := c.Uint8()
	if format > 1 {
		c.Fail("no such format")
	}
	r := CopyResponse{Binary: format == 1, Formats: decodeFormats(&c, nil)}
	return r, failed("CopyResponse", c.End())
}

// DecodeParameterStatus returns a setting that the server reports. Both alias body.
func DecodeParameterStatus(body []byte) (name, value []byte, err error) {
	c := protocol.Over(body)
	name, value = c.CString(), c.CString()
	return name, value, failed("ParameterStatus", c.End())
}
