package main

import (
	"context"
	"fmt"
	"strings"
)

// tlsSessions is how many sessions speak TLS at the same time.
const tlsSessions = 8

// measureTLS measures clients that ask for TLS: PgBouncer and sqlveil end it and
// speak to the server without, the others pass it on to the server.
func (r *report) measureTLS(ctx context.Context, l *lab, o options) error {
	for i, w := range l.engine.encrypted {
		sessions := tlsSessions
		if w.unit == "row" {
			sessions = 1
		}
		w.name += ", TLS"
		r.tls = append(r.tls, newTable(w, sessions))
		if err := r.encrypt(l, o, func(c contestant) error { return measureAll(ctx, c, r.tls[i:], o.duration) }); err != nil {
			return err
		}
	}
	last := newTable(work{name: "log in, one row, log out, TLS", unit: "login"}, tlsSessions)
	err := r.encrypt(l, o, func(c contestant) error {
		m, err := logins(ctx, c, tlsSessions, o.duration)
		if err == nil {
			last.add(c, m)
		}
		return err
	})
	r.tls = append(r.tls, last)
	return err
}

// encrypt measures every contestant in every round, with TLS.
func (r *report) encrypt(l *lab, o options, measure func(c contestant) error) error {
	for range o.rounds {
		for _, c := range l.contestants {
			if c.forRows {
				continue
			}
			c.tls = true
			if err := measure(c); err != nil {
				return fmt.Errorf("TLS, %s: %w", c.name, err)
			}
		}
	}
	return nil
}

// writeTLS writes the tables of clients that ask for TLS.
func (r *report) writeTLS(b *strings.Builder) {
	if len(r.tls) == 0 {
		return
	}
	b.WriteString("\nWith TLS, pgbouncer and sqlveil encrypt and decrypt; haproxy and go-copy pass on what server and client encrypt.\n")
	for i := range r.tls {
		t := &r.tls[i]
		if t.work.unit == "row" {
			t.write(b, "CPU s / 1 M", 1, false)
		} else {
			t.write(b, "CPU s / 1,000", 1e-3, false)
		}
	}
}
