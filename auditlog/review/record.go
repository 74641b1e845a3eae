package review

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// A Record is one line of the log, as far as it is asked about.
type Record struct {
	Seq     uint64
	Time    time.Time
	Kind    string
	Ref     uint64
	Session struct{ ID, Listener, TLS, Client, App string }
	Who     struct{ Login, Role, Person string }
	Why     struct{ Purpose, Ticket string }

	Database struct{ Server, Name string }

	Statement struct {
		Command, Class, Fingerprint, Text, Hash string
		Sealed                                  string // in base64
	}
	RawObjects []byte // JSON; see objects
	Decision   struct{ Verdict, Code string }
	Result     struct {
		OK                               bool
		SQLState, Ended                  string
		Rows, Bytes, Micros, MaskedCells int64
	}
	Subjects struct {
		Count int64
		Keys  []string
	}
	Gap struct {
		Count  int64
		Reason string
	}
	Detail map[string]string
}

// An Object is a labelled column of a statement.
type Object struct {
	Column   string `json:"column"`
	Class    string `json:"class"`
	Level    string `json:"level"`
	In       string `json:"in"`
	Released string `json:"released"`
}

var errRecord = errors.New("not a record")

// parse reads a line. The record's strings may alias it.
func parse(line []byte) (r Record, err error) {
	in := reader{s: line}
	in.members(func(key string) {
		switch key {
		case "seq":
			r.Seq = uint64(in.number())
		case "ts":
			r.Time = in.time()
		case "kind":
			r.Kind = in.text()
		case "ref":
			r.Ref = uint64(in.number())
		case "sess":
			in.strings(field{"id", &r.Session.ID}, field{"listener", &r.Session.Listener}, field{"tls", &r.Session.TLS}, field{"client", &r.Session.Client}, field{"app", &r.Session.App})
		case "who":
			in.strings(field{"login", &r.Who.Login}, field{"role", &r.Who.Role}, field{"person", &r.Who.Person})
		case "why":
			in.strings(field{"purpose", &r.Why.Purpose}, field{"ticket", &r.Why.Ticket})
		case "db":
			in.strings(field{"server", &r.Database.Server}, field{"database", &r.Database.Name})
		case "stmt":
			s := &r.Statement
			in.strings(field{"command", &s.Command}, field{"class", &s.Class}, field{"fp", &s.Fingerprint}, field{"text", &s.Text}, field{"hash", &s.Hash}, field{"sealed", &s.Sealed})
		case "obj":
			r.RawObjects = in.raw()
		case "decision":
			in.strings(field{"verdict", &r.Decision.Verdict}, field{"code", &r.Decision.Code})
		case "result":
			r.readResult(&in)
		case "subj":
			r.readSubjects(&in)
		case "gap":
			in.members(func(key string) {
				switch key {
				case "count":
					r.Gap.Count = in.number()
				case "reason":
					r.Gap.Reason = in.text()
				default:
					in.raw()
				}
			})
		case "detail":
			r.Detail = make(map[string]string)
			in.members(func(key string) { r.Detail[key] = in.text() })
		default:
			in.raw()
		}
	})
	if in.bad || in.i != len(in.s) || r.Kind == "" {
		return r, errRecord
	}
	return r, nil
}

func (r *Record) readResult(in *reader) {
	in.members(func(key string) {
		switch key {
		case "ok":
			r.Result.OK = string(in.raw()) == "true"
		case "sqlstate":
			r.Result.SQLState = in.text()
		case "ended":
			r.Result.Ended = in.text()
		case "rows":
			r.Result.Rows = in.number()
		case "bytes":
			r.Result.Bytes = in.number()
		case "us":
			r.Result.Micros = in.number()
		case "masked_cells":
			r.Result.MaskedCells = in.number()
		default:
			in.raw()
		}
	})
}

func (r *Record) readSubjects(in *reader) {
	in.members(func(key string) {
		switch key {
		case "n":
			r.Subjects.Count = in.number()
		case "keys":
			in.elements(func() { r.Subjects.Keys = append(r.Subjects.Keys, in.text()) })
		default:
			in.raw()
		}
	})
}

// objects reads the labelled columns.
func (r *Record) objects() (objects []Object, err error) {
	if r.RawObjects != nil {
		err = json.Unmarshal(r.RawObjects, &objects)
	}
	return objects, err
}

// outcome reports whether the record completes an earlier one.
func (r *Record) outcome() bool {
	return r.Ref != 0 && (r.Kind == "query.end" || r.Kind == "copy.end")
}

// address is the client's without its port.
func (r *Record) address() string {
	if a, err := netip.ParseAddrPort(r.Session.Client); err == nil {
		if a.Addr().Is4() {
			return r.Session.Client[:strings.LastIndexByte(r.Session.Client, ':')]
		}
		return a.Addr().Unmap().String()
	}
	return r.Session.Client
}

// detail is what a record that is no statement tells beside its fields. Notes
// and keys are not for reading.
func (r *Record) detail() string {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(r.Detail)) {
		if key != "note" && key != "sealed" && r.Detail[key] != "" {
			parts = append(parts, key+"="+r.Detail[key])
		}
	}
	if r.Gap.Reason != "" {
		parts = append(parts, fmt.Sprintf("%s count=%d", r.Gap.Reason, r.Gap.Count))
	}
	text := strings.Join(parts, " ")
	return text[:min(len(text), mostDetail)]
}

// mostDetail is how much of it is kept.
const mostDetail = 500

// table is the column's name without its last part. A part that holds a dot is
// in quotes.
func (o *Object) table() string {
	quoted, cut := false, -1
	for i := range len(o.Column) {
		switch o.Column[i] {
		case '"':
			quoted = !quoted
		case '.':
			if !quoted {
				cut = i
			}
		}
	}
	if cut < 0 {
		return o.Column
	}
	return o.Column[:cut]
}

// subjectHash is what the index keeps of a subject's key: its first 48 bits.
func subjectHash(key string) (hash uint64, ok bool) {
	var raw [hashBits / 8]byte
	if len(key) < 2*len(raw) {
		return 0, false
	}
	if _, err := hex.Decode(raw[:], []byte(key[:2*len(raw)])); err != nil {
		return 0, false
	}
	for _, b := range raw {
		hash = hash<<8 | uint64(b)
	}
	return hash, true
}

// network is the part of an address that one office shares.
func network(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	bits := 64
	if a.Is4() {
		bits = 24
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return address
	}
	return p.String()
}

// one is text without repeated spaces, for a cell of a table.
func one(text string) string { return strings.Join(strings.Fields(text), " ") }
