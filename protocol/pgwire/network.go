package pgwire

import (
	"bytes"
	"net/netip"

	"sqlveil/protocol"
)

const uuidSize = 16

func decodeUUID(dst, id []byte) ([]byte, bool) {
	if len(id) != uuidSize {
		return dst, false
	}
	dst = appendHex(dst, id[:4])
	for i := 4; i < 10; i += 2 {
		dst = appendHex(append(dst, '-'), id[i:i+2])
	}
	return appendHex(append(dst, '-'), id[10:]), true
}

func encodeUUID(dst, text []byte) ([]byte, bool) {
	if len(text) != 36 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-' {
		return dst, false
	}
	ok := true
	for _, group := range [][]byte{text[:8], text[9:13], text[14:18], text[19:23], text[24:]} {
		if ok {
			dst, ok = appendUnhex(dst, group)
		}
	}
	return dst, ok
}

func decodeMAC(dst, address []byte) ([]byte, bool) {
	for i, b := range address {
		if i > 0 {
			dst = append(dst, ':')
		}
		dst = append(dst, hexDigits[b>>4], hexDigits[b&15])
	}
	return dst, address != nil
}

// encodeMAC reads size bytes with colons between them.
func encodeMAC(dst, text []byte, size int) ([]byte, bool) {
	if len(text) != 3*size-1 {
		return dst, false
	}
	ok := true
	for i := 0; i < len(text) && ok; i += 3 {
		if i > 0 && text[i-1] != ':' {
			return dst, false
		}
		dst, ok = appendUnhex(dst, text[i:i+2])
	}
	return dst, ok
}

// Address families of an inet or cidr.
// https://github.com/postgres/postgres/blob/REL_18_STABLE/src/include/utils/inet.h
const (
	familyIPv4 = 2
	familyIPv6 = 3
)

func decodeInet(dst []byte, in *protocol.Cursor, cidr bool) ([]byte, bool) {
	family, bits, isCIDR := in.Uint8(), in.Uint8(), in.Uint8()
	raw := in.Take(int(in.Uint8()))
	var address netip.Addr
	switch {
	case family == familyIPv4 && len(raw) == 4:
		address = netip.AddrFrom4([4]byte(raw))
	case family == familyIPv6 && len(raw) == 16:
		address = netip.AddrFrom16([16]byte(raw))
	default:
		return dst, false
	}
	if int(bits) > 8*len(raw) || (isCIDR != 0) != cidr || cidr && hostBits(address, int(bits)) {
		return dst, false
	}
	dst = appendAddress(dst, address)
	if cidr || int(bits) < 8*len(raw) {
		dst = appendInt(append(dst, '/'), int64(bits))
	}
	return dst, true
}

// appendAddress prints an address as the server does, which has its own idea of
// the few IPv6 addresses that end like an IPv4 one.
func appendAddress(dst []byte, address netip.Addr) []byte {
	raw := address.As16()
	compatible := address.Is6() && !address.Is4In6() &&
		bytes.Equal(raw[:12], make([]byte, 12)) && raw[12]|raw[13] != 0
	if !compatible {
		return address.AppendTo(dst)
	}
	return netip.AddrFrom4([4]byte(raw[12:])).AppendTo(append(dst, "::"...))
}

// hostBits says whether there are bits to the right of the mask, which a cidr
// does not have.
func hostBits(address netip.Addr, bits int) bool {
	return netip.PrefixFrom(address, bits).Masked().Addr() != address
}

func encodeInet(dst, text []byte, cidr bool) ([]byte, bool) {
	host, mask, masked := bytes.Cut(text, []byte{'/'})
	address, ok := parseAddress(host)
	if !ok {
		return dst, false
	}
	bits := int64(address.BitLen())
	if masked {
		s := scanner{mask}
		n, ok := s.number(3)
		if !ok || !s.done() || n > bits {
			return dst, false
		}
		bits = n
	}
	if cidr && hostBits(address, int(bits)) {
		return dst, false
	}
	family := byte(familyIPv6)
	if address.Is4() {
		family = familyIPv4
	}
	flag := byte(0)
	if cidr {
		flag = 1
	}
	dst = append(dst, family, byte(bits), flag, byte(address.BitLen()/8))
	if address.Is4() {
		raw := address.As4()
		return append(dst, raw[:]...), true
	}
	raw := address.As16()
	return append(dst, raw[:]...), true
}

// parseAddress is netip.ParseAddr for bytes, without zones.
func parseAddress(text []byte) (netip.Addr, bool) {
	if bytes.IndexByte(text, ':') < 0 {
		raw, ok := parseIPv4(text)
		return netip.AddrFrom4(raw), ok
	}
	raw, ok := parseIPv6(text)
	return netip.AddrFrom16(raw), ok
}

func parseIPv4(text []byte) (raw [4]byte, ok bool) {
	s := scanner{text}
	for i := range raw {
		if i > 0 && !s.skip('.') {
			return raw, false
		}
		n, ok := s.number(3)
		if !ok || n > 255 {
			return raw, false
		}
		raw[i] = byte(n)
	}
	return raw, s.done()
}

// parseIPv6 reads groups of hexadecimal digits, one gap "::", and perhaps an
// IPv4 address in the place of the last two groups.
func parseIPv6(text []byte) (raw [16]byte, ok bool) {
	n, gap := 0, -1
	if bytes.HasPrefix(text, []byte("::")) {
		text, gap = text[2:], 0
	}
	for len(text) > 0 {
		end := bytes.IndexByte(text, ':')
		if end < 0 && bytes.IndexByte(text, '.') >= 0 && n <= 12 {
			v4, ok := parseIPv4(text)
			copy(raw[n:], v4[:])
			return spread(raw, n+4, gap, ok)
		}
		if end < 0 {
			end = len(text)
		}
		group, ok := hexGroup(text[:end])
		if !ok || n == 16 {
			return raw, false
		}
		protocol.PutUint16(raw[n:], group)
		n += 2
		if text = text[end:]; len(text) == 0 {
			break
		}
		text = text[1:]
		switch {
		case len(text) == 0:
			return raw, false // a colon at the end
		case text[0] == ':' && gap >= 0:
			return raw, false
		case text[0] == ':':
			text, gap = text[1:], n
		}
	}
	return spread(raw, n, gap, true)
}

// spread moves what stands behind a gap to the end.
func spread(raw [16]byte, n, gap int, ok bool) ([16]byte, bool) {
	if gap < 0 {
		return raw, ok && n == 16
	}
	if n >= 16 {
		return raw, false // a gap for nothing
	}
	tail := n - gap
	copy(raw[16-tail:], raw[gap:n])
	clear(raw[gap : 16-tail])
	return raw, ok
}

func hexGroup(digits []byte) (group uint16, ok bool) {
	if len(digits) == 0 || len(digits) > 4 {
		return 0, false
	}
	for _, d := range digits {
		v := unhex(d)
		if v > 15 {
			return 0, false
		}
		group = group<<4 | uint16(v)
	}
	return group, true
}
