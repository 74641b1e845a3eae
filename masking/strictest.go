package masking

// Strictest returns a mask for a value that may be subject to either of two: it
// tells no more than each of them. A nil mask stands for the value in clear.
// NULL is stricter than redaction, which is stricter than the rest; two partial
// masks keep the fewer characters on each side; others cannot be compared, and
// the value is redacted.
func Strictest(a, b Mask) Mask {
	switch {
	case a == nil:
		return b
	case b == nil || a == b:
		return a
	case a == Null || b == Null:
		return Null
	case a == Withheld || b == Withheld:
		return Withheld
	}
	p, isPartial := a.(partial)
	q, both := b.(partial)
	if !isPartial || !both {
		return Redact
	}
	p.first, p.last = min(p.first, q.first), min(p.last, q.last)
	if p.first+p.last == 0 {
		return Redact
	}
	return p
}
