package protocol

import "encoding/binary"

// AppendUint16 appends v, big-endian.
func AppendUint16(dst []byte, v uint16) []byte { return binary.BigEndian.AppendUint16(dst, v) }

// AppendUint32 appends v, big-endian.
func AppendUint32(dst []byte, v uint32) []byte { return binary.BigEndian.AppendUint32(dst, v) }

// AppendUint64 appends v, big-endian.
func AppendUint64(dst []byte, v uint64) []byte { return binary.BigEndian.AppendUint64(dst, v) }

// AppendCString appends s and a zero byte. A string that holds one itself would
// be read as two; the caller keeps those out.
func AppendCString[S ~string | ~[]byte](dst []byte, s S) []byte {
	return append(append(dst, s...), 0)
}

// AppendUint16LE appends v, the low byte first.
func AppendUint16LE(dst []byte, v uint16) []byte { return binary.LittleEndian.AppendUint16(dst, v) }

// AppendUint24LE appends the low three bytes of v, the lowest first.
func AppendUint24LE(dst []byte, v uint32) []byte {
	return append(dst, byte(v), byte(v>>8), byte(v>>16))
}

// AppendUint32LE appends v, the low byte first.
func AppendUint32LE(dst []byte, v uint32) []byte { return binary.LittleEndian.AppendUint32(dst, v) }

// AppendUint64LE appends v, the low byte first.
func AppendUint64LE(dst []byte, v uint64) []byte { return binary.LittleEndian.AppendUint64(dst, v) }

// AppendLenenc appends v as a length-encoded integer in its shortest form.
func AppendLenenc(dst []byte, v uint64) []byte {
	switch {
	case v < lenencNull:
		return append(dst, byte(v))
	case v < 1<<16:
		return AppendUint16LE(append(dst, lenenc16), uint16(v))
	case v < 1<<24:
		return AppendUint24LE(append(dst, lenenc24), uint32(v))
	default:
		return AppendUint64LE(append(dst, lenenc64), v)
	}
}

// AppendLenencString appends s behind its length-encoded length.
func AppendLenencString[S ~string | ~[]byte](dst []byte, s S) []byte {
	return append(AppendLenenc(dst, uint64(len(s))), s...)
}

// PutUint16 writes v over the first two bytes of b, big-endian.
func PutUint16(b []byte, v uint16) { binary.BigEndian.PutUint16(b, v) }

// PutUint32 writes v over the first four bytes of b, big-endian.
func PutUint32(b []byte, v uint32) { binary.BigEndian.PutUint32(b, v) }

// PutUint24LE writes the low three bytes of v over the first three of b, the lowest first.
func PutUint24LE(b []byte, v uint32) { b[0], b[1], b[2] = byte(v), byte(v>>8), byte(v>>16) }

// Uint16At reads the first two bytes of b, which the caller knows to be there.
func Uint16At(b []byte) uint16 { return binary.BigEndian.Uint16(b) }

// Uint64At reads the first eight bytes of b, which the caller knows to be there.
func Uint64At(b []byte) uint64 { return binary.BigEndian.Uint64(b) }

// Uint32At reads the first four bytes of b, which the caller knows to be there.
func Uint32At(b []byte) uint32 { return binary.BigEndian.Uint32(b) }
