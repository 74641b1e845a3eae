package auditlog

import "testing"

func benchmarkAppend(b *testing.B, d Durability, strict bool) {
	l := openLog(b, Options{Durability: d, IntakeBytes: defaultIntake})
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		e := sample()
		e.Origin = AppendOrigin(nil, e)
		for pb.Next() {
			e.Kind, e.Ref = QueryBegin, 0
			seq, err := l.Append(e, strict)
			if err != nil {
				b.Fatal(err)
			}
			e.Kind, e.Ref = QueryEnd, seq
			if _, err := l.Append(e, false); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.StopTimer()
	closeLog(b, l)
}

func BenchmarkStatementSpool(b *testing.B)  { benchmarkAppend(b, Spool, false) }
func BenchmarkStatementStrict(b *testing.B) { benchmarkAppend(b, Classified, true) }

func BenchmarkEncode(b *testing.B) {
	e := sample()
	e.Origin = AppendOrigin(nil, e)
	var body []byte
	b.ReportAllocs()
	for b.Loop() {
		body = appendBody(body[:0], e)
	}
	b.SetBytes(int64(len(body)))
}
