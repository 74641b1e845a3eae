package bench

import (
	"testing"

	"sqlveil/auditlog"
	"sqlveil/config"
	"sqlveil/masking"
	"sqlveil/proxy/proxytest"
	"sqlveil/proxy/sample"
)

// policy is the sample's, loaded as the program loads it.
func policy(b *testing.B, protocol, text string) *masking.Policy {
	b.Helper()
	site := proxytest.Site{Protocol: protocol, Server: "127.0.0.1:5432", Catalog: "sqlveil", Policy: text}
	path, err := site.Write(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	loaded, problems := config.Load(path)
	if loaded == nil {
		b.Fatal(problems)
	}
	return loaded.Policy
}

// BenchmarkMask is one value masked; copy is the floor.
func BenchmarkMask(b *testing.B) {
	policy := policy(b, "postgres", sample.Policy)
	role := policy.Role("analyst")
	for column, value := range map[string]string{
		"name": "欧阳测试", "mobile": "15400000000", "email": "ann.lee@example.com", "birth_date": "1884-12-14", "budget": "3690000",
	} {
		label, ok := policy.Label(masking.Column{Database: "crm", Schema: "public", Table: "customers", Name: column})
		if !ok {
			b.Fatalf("%s has no label", column)
		}
		mask, kind := role.Mask(label), masking.Type{Kind: masking.KindText}
		switch column {
		case "birth_date":
			kind.Kind = masking.KindDate
		case "budget":
			kind = masking.Type{Kind: masking.KindInteger, Bits: 32}
		}
		text, out := []byte(value), make([]byte, 0, 64)
		b.Run(column, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				out, _ = masking.Apply(mask, out[:0], text, kind)
			}
		})
	}
	text, out := []byte("15400000000"), make([]byte, 0, 64)
	b.Run("copy", func(b *testing.B) {
		for b.Loop() {
			out = append(out[:0], text...)
		}
	})
}

// BenchmarkAudit is the record of one statement, as its session waits for it.
func BenchmarkAudit(b *testing.B) {
	for _, durability := range []auditlog.Durability{auditlog.Spool, auditlog.Strict} {
		b.Run(string(durability), func(b *testing.B) {
			log, err := auditlog.Open(auditlog.Options{Directory: b.TempDir(), Durability: durability})
			if err != nil {
				b.Fatal(err)
			}
			defer log.Close()
			event := &auditlog.Event{
				Kind:      auditlog.QueryBegin,
				Session:   auditlog.Session{ID: "06H0GNM9KTST1JMTYA6TWF31VR", Listener: "crm", Protocol: "postgres", Client: "127.0.0.1:41514"},
				Who:       auditlog.Who{Login: "analyst", Role: "analyst"},
				Statement: auditlog.Statement{Command: "SELECT", Class: "READ", Fingerprint: "4685214b20b66838", Text: texts["join"]},
			}
			event.Origin = auditlog.AppendOrigin(nil, event) // as a session does when it starts
			b.ReportAllocs()
			for b.Loop() {
				if _, err := log.Append(event, durability == auditlog.Strict); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
