package auditlog

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"

	"sqlveil/auditlog/chain"
)

// A state is where the chain stands: what the next process needs to go on with
// it. It lives in the intake's file, beside the records not yet chained.
type state struct {
	log     string // the log's random name
	machine string // the kernel's boot, to tell a dead process from a dead machine
	node    string // of the process that wrote the pending records
	boot    string
	segment string // the growing one
	first   uint64 // number of its first record
	offset  int64  // bytes of it that are chained
	link    chain.Link
	tree    chain.Tree
	fresh   chain.Key // of a chain key whose record may not be written yet; else zero
}

const stateVersion = "1"

func (s *state) append(dst []byte) []byte {
	dst = append(dst, stateVersion...)
	for _, text := range []string{s.log, s.machine, s.node, s.boot, s.segment} {
		dst = strconv.AppendQuote(append(dst, ' '), text)
	}
	for _, n := range [...]uint64{s.first, uint64(s.offset), s.link.Seq, s.tree.Size()} {
		dst = strconv.AppendUint(append(dst, ' '), n, 10)
	}
	dst = hex.AppendEncode(append(dst, ' '), s.link.Digest[:])
	dst = hex.AppendEncode(append(dst, ' '), s.link.Key[:])
	dst = hex.AppendEncode(append(dst, ' '), s.fresh[:])
	dst = append(dst, ' ')
	return s.tree.AppendPeaks(dst) // binary, hence last
}

var errState = errors.New("the saved state cannot be read")

func parseState(text []byte) (s state, err error) {
	rest, ok := bytes.CutPrefix(text, []byte(stateVersion+" "))
	if !ok {
		return s, errState
	}
	for _, field := range []*string{&s.log, &s.machine, &s.node, &s.boot, &s.segment} {
		quoted, err := strconv.QuotedPrefix(string(rest))
		if err != nil || len(rest) == len(quoted) {
			return s, errState
		}
		if *field, err = strconv.Unquote(quoted); err != nil {
			return s, errState
		}
		rest = rest[len(quoted)+1:]
	}
	var numbers [4]uint64
	for i := range numbers {
		word, after, ok := bytes.Cut(rest, []byte(" "))
		if numbers[i], err = strconv.ParseUint(string(word), 10, 63); err != nil || !ok {
			return s, errState
		}
		rest = after
	}
	s.first, s.offset, s.link.Seq = numbers[0], int64(numbers[1]), numbers[2]
	for _, field := range [][]byte{s.link.Digest[:], s.link.Key[:], s.fresh[:]} {
		word, after, ok := bytes.Cut(rest, []byte(" "))
		if !ok || len(word) != 2*len(field) {
			return s, errState
		}
		if _, err := hex.Decode(field, word); err != nil {
			return s, errState
		}
		rest = after
	}
	if s.tree, err = chain.RestoreTree(numbers[3], rest); err != nil {
		return s, fmt.Errorf("%w: %w", errState, err)
	}
	return s, nil
}
