package review

import (
	"context"
	"slices"
	"strings"
	"time"

	"sqlveil/auditlog"
)

// A Row is one statement with its outcome, or another record.
type Row struct {
	Seq         uint64    `json:"seq"`
	Time        time.Time `json:"time"`
	Kind        string    `json:"kind"`
	Login       string    `json:"login,omitempty"`
	Person      string    `json:"person,omitempty"`
	Role        string    `json:"role,omitempty"`
	Application string    `json:"application,omitempty"`
	Address     string    `json:"address,omitempty"`
	Session     string    `json:"session,omitempty"`
	Database    string    `json:"database,omitempty"`
	Purpose     string    `json:"purpose,omitempty"`
	Ticket      string    `json:"ticket,omitempty"`
	Command     string    `json:"command,omitempty"`
	Fingerprint string    `json:"fingerprint,omitempty"`
	Text        string    `json:"text,omitempty"`
	Detail      string    `json:"detail,omitempty"`
	Verdict     string    `json:"verdict,omitempty"`
	Code        string    `json:"code,omitempty"`
	Done        bool      `json:"done"` // an outcome is on record
	OK          bool      `json:"ok"`
	SQLState    string    `json:"sqlstate,omitempty"`
	Ended       string    `json:"ended,omitempty"`
	Rows        int64     `json:"rows"`
	Bytes       int64     `json:"bytes"`
	Micros      int64     `json:"micros"`
	Masked      int64     `json:"masked_cells"`
	Subjects    int64     `json:"subjects"`
	Objects     []Object  `json:"objects,omitempty"`
}

// User is the person, or the account where the person is not known.
func (r *Row) User() string {
	if r.Person != "" {
		return r.Person
	}
	return r.Login
}

// Tables are the tables that the statement touched labelled columns of.
func (r *Row) Tables() (tables []string) {
	for i := range r.Objects {
		if t := r.Objects[i].table(); !slices.Contains(tables, t) {
			tables = append(tables, t)
		}
	}
	return tables
}

// Released says in which form classified data was given out: "clear", "masked",
// "withheld", or several of them.
func (r *Row) Released() string {
	var forms []string
	for _, o := range r.Objects {
		if o.In == "output" && !slices.Contains(forms, o.Released) {
			forms = append(forms, o.Released)
		}
	}
	slices.Sort(forms)
	return strings.Join(forms, "+")
}

// Search returns the rows that fit the filter. Records of the chain itself are
// left out unless the filter asks for their kind.
func (x *Index) Search(ctx context.Context, f Filter) (rows []Row, err error) {
	silent := new(set)
	if f.Kind == "" {
		if err := x.match(ctx, silent, colKind, "chain.*"); err != nil {
			return nil, err
		}
	}
	err = x.scan(ctx, &f, []column{colKind}, func(v *view, row int) error {
		if silent.has(v.block.get(colKind, row)) {
			return nil
		}
		r, err := x.row(ctx, v, row)
		if err != nil {
			return err
		}
		if rows = append(rows, r); len(rows) == f.Limit {
			return errEnough
		}
		return nil
	})
	return rows, err
}

// row reads all there is to a row.
func (x *Index) row(ctx context.Context, v *view, row int) (r Row, err error) {
	all := make([]column, columns)
	for c := range columns {
		all[c] = c
	}
	if err := v.need(ctx, all...); err != nil {
		return r, err
	}
	get := func(c column) uint64 { return v.block.get(c, row) }
	for _, field := range [...]struct {
		to *string
		c  column
	}{
		{&r.Kind, colKind},
		{&r.Login, colLogin},
		{&r.Person, colPerson},
		{&r.Role, colRole},
		{&r.Application, colApp},
		{&r.Address, colAddress},
		{&r.Session, colSession},
		{&r.Database, colDatabase},
		{&r.Purpose, colPurpose},
		{&r.Ticket, colTicket},
		{&r.Command, colCommand},
		{&r.Fingerprint, colFingerprint},
		{&r.Verdict, colVerdict},
		{&r.Code, colCode},
		{&r.SQLState, colState},
		{&r.Ended, colEnded},
		{&r.Detail, colDetail},
	} {
		if *field.to, err = x.word(ctx, get(field.c)); err != nil {
			return r, err
		}
	}
	if r.Text, err = x.text(ctx, get(colFingerprint)); err != nil {
		return r, err
	}
	if r.Objects, err = x.objects(ctx, get(colObjects)); err != nil {
		return r, err
	}
	flags := get(colFlags)
	r.OK, r.Done = flags&flagOK != 0, flags&flagDone != 0
	r.Seq, r.Time = get(colSeq), time.UnixMicro(int64(get(colTime)))
	r.Rows, r.Bytes, r.Micros = int64(get(colRows)), int64(get(colBytes)), int64(get(colMicros))
	r.Masked, r.Subjects = int64(get(colMasked)), int64(get(colSubjects))
	return r, nil
}

// text returns the normalised statement of a fingerprint.
func (x *Index) text(ctx context.Context, fingerprint uint64) (text string, err error) {
	if fingerprint == 0 {
		return "", nil
	}
	if text, ok := x.texts[fingerprint]; ok {
		return text, nil
	}
	err = each(ctx, x.store.db, "SELECT s FROM text WHERE fp = ?", []any{fingerprint}, func(rows scanner) error {
		return rows.Scan(&text)
	})
	if err == nil {
		x.texts[fingerprint] = text
	}
	return text, err
}

// WhoSaw returns the rows that concern a person, by any of the keys, among those
// that fit the filter.
func (x *Index) WhoSaw(ctx context.Context, keys []auditlog.SubjectKey, f Filter) (rows []Row, err error) {
	conditions, err := x.conditions(ctx, &f)
	if err != nil {
		return nil, err
	}
	for i := range x.zones {
		z := x.zones[i]
		if !f.Oldest {
			z = x.zones[len(x.zones)-1-i]
		}
		if f.misses(z) {
			continue
		}
		concerned, err := x.concerned(ctx, z, keys)
		if err != nil || len(concerned) == 0 {
			if err != nil {
				return nil, err
			}
			continue
		}
		err = x.scanBlock(ctx, z, &f, conditions, nil, func(v *view, row int) error {
			if !concerned[row] {
				return nil
			}
			r, err := x.row(ctx, v, row)
			if err != nil {
				return err
			}
			if rows = append(rows, r); len(rows) == f.Limit {
				return errEnough
			}
			return nil
		})
		if err != nil {
			if len(rows) == f.Limit {
				return rows, nil
			}
			return nil, err
		}
	}
	return rows, nil
}

// concerned returns the rows of a block in which one of the subjects stands.
func (x *Index) concerned(ctx context.Context, z zone, keys []auditlog.SubjectKey) (map[int]bool, error) {
	rows := make(map[int]bool)
	for _, key := range keys {
		hash := keyHash(key)
		bucket, err := x.store.bucket(ctx, z.id, bucketOf(hash))
		if err != nil {
			return nil, err
		}
		for _, row := range rowsOf(bucket, hash) {
			rows[row] = true
		}
	}
	return rows, nil
}

func keyHash(key auditlog.SubjectKey) (hash uint64) {
	for _, b := range key[:hashBits/8] {
		hash = hash<<8 | uint64(b)
	}
	return hash
}

// SubjectClasses returns the classes whose values may stand for persons: all
// that the log has seen.
func (x *Index) SubjectClasses(ctx context.Context) (classes []string, err error) {
	err = each(ctx, x.store.db, "SELECT s FROM dict WHERE dim = ? ORDER BY s", []any{int(dictObjectClass)}, func(rows scanner) error {
		var s string
		err := rows.Scan(&s)
		classes = append(classes, s)
		return err
	})
	return classes, err
}
