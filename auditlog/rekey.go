package auditlog

import (
	"crypto/rand"

	"sqlveil/auditlog/chain"
)

// rekeying is one wish for a new chain key.
type rekeying struct {
	fresh  chain.Key
	sealed string
	asked  bool
	done   chan struct{} // closed when the record is queued
}

// RotateKey mixes fresh randomness into the chain's key and puts it on record,
// encrypted for the auditors. Whoever held the key before cannot go on with it.
func (l *Log) RotateKey() error {
	r := &rekeying{done: make(chan struct{})}
	rand.Read(r.fresh[:])
	var err error
	if r.sealed, err = l.keys.Seal(r.fresh[:]); err != nil {
		return err
	}
	for !l.writer.rekey.CompareAndSwap(nil, r) {
		if other := l.writer.rekey.Load(); other != nil {
			select {
			case <-other.done:
			case <-l.writer.done:
				return errClosed
			}
		}
	}
	l.rouse(true)
	select {
	case <-r.done:
		return nil
	case <-l.writer.done:
		return errClosed
	}
}

// renewKey does what RotateKey asks for. The fresh bytes are saved before the
// record is queued, so that no crash leaves the one without the other.
func (w *writer) renewKey() error {
	r := w.rekey.Load()
	if r == nil {
		return nil
	}
	if !r.asked {
		w.state.fresh = r.fresh
		if err := w.release(); err != nil {
			return err
		}
		r.asked = true
		w.owed = append(w.owed, Event{Kind: ChainKey, Detail: []Detail{
			{"reason", keyRotation}, {"log", w.state.log}, {"sealed", r.sealed},
		}})
	}
	if w.state.fresh == (chain.Key{}) { // chained
		w.rekey.Store(nil)
		close(r.done)
	}
	return nil
}
