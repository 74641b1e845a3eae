package session

import (
	"sqlveil/auditlog"
	"sqlveil/masking"
	"sqlveil/rewrite"
)

// Open says whether the statements pass untouched: the role sees everything.
func (p *Prepared) Open() bool { return p.scope == nil || p.scope.Role.SeesAll() }

// Len is the number of statements in the text.
func (p *Prepared) Len() int { return len(p.plans) }

// Rows says whether the statement with this index returns rows.
func (p *Prepared) Rows(i int) bool { return i < len(p.plans) && p.plans[i].Rows }

// Masked says whether a column of the statement's result carries a mask.
func (p *Prepared) Masked(i int) bool { return i < len(p.plans) && p.plans[i].Masked }

// Touches says whether the server's diagnostics may quote protected values.
func (p *Prepared) Touches(i int) bool { return i < len(p.plans) && p.plans[i].Touches }

// Document says whether a result column is one of a table's that holds JSON, which
// not every wire tells. It is for results that [Session.Describe] took.
func (p *Prepared) Document(i, column int) bool {
	o := &p.plans[i].Outputs[column]
	return len(o.Sources) == 1 && !o.Derived && o.Sources[0].Type == "json"
}

// Copy is the format of a COPY to the client, nil for other statements.
func (p *Prepared) Copy(i int) *CopyFormat {
	if i >= len(p.plans) {
		return nil
	}
	return p.plans[i].Copy
}

// Guards are the parameters of the statement that must not hold a masked value.
func (p *Prepared) Guards(i int) []Guard {
	if i >= len(p.plans) {
		return nil
	}
	return p.plans[i].Guards
}

// SQL is what to send: Text unless masks were pushed into it.
func (p *Prepared) SQL() string {
	if len(p.plans) == 1 && p.plans[0].SQL != "" {
		return p.plans[0].SQL
	}
	var sql []byte
	done := 0
	for _, plan := range p.plans {
		if plan.SQL != "" && plan.SQL != p.Text[plan.Start:plan.End] {
			sql = append(append(sql, p.Text[done:plan.Start]...), plan.SQL...)
			done = plan.End
		}
	}
	if sql == nil {
		return p.Text
	}
	return string(append(sql, p.Text[done:]...))
}

// A Column is a result column as the plan has it.
type Column struct {
	Name string
	Type string // the declared type of its only source, "" when it has not one
	Mask masking.Mask
}

// Columns returns the result columns of a statement whose types the server does
// not tell: a COPY.
func (p *Prepared) Columns(i int) []Column {
	columns := make([]Column, len(p.plans[i].Outputs))
	for j, o := range p.plans[i].Outputs {
		columns[j].Name, columns[j].Mask = o.Name, o.Mask
		if len(o.Sources) == 1 && !o.Derived {
			columns[j].Type = o.Sources[0].Type
		}
	}
	return columns
}

// An Origin is where the server says that a result column comes from; zero when
// it says nothing.
type Origin struct {
	Rel uint32
	Att int16
}

// Describe compares the plan of a statement with the columns that the server
// tells of, and returns the mask of each; nil when none has one. It fails with a
// *[MismatchError]. Where the server knows of a stricter label than the plan,
// that counts, and an alert is put on record. It is called on the down side.
func (s *Session) Describe(p *Prepared, i int, origins []Origin) ([]masking.Mask, error) {
	if p.scope == nil || p.scope.Role.SeesAll() {
		return nil, nil
	}
	planned := 0
	if i < len(p.plans) {
		planned = len(p.plans[i].Outputs)
	}
	if planned != len(origins) {
		return nil, s.mismatch(planned, len(origins))
	}
	var masks []masking.Mask
	for j, o := range origins {
		mask := s.witnessed(p, i, j, o)
		if mask == nil {
			continue
		}
		if masks == nil {
			masks = make([]masking.Mask, len(origins))
		}
		masks[j] = mask
	}
	return masks, nil
}

func (s *Session) mismatch(planned, got int) error {
	err := &MismatchError{Planned: planned, Got: got}
	s.options.Metrics.Mismatches.Add(1)
	s.Alert(err.Error(), auditlog.Detail{Key: "code", Value: rewrite.CodeMismatch})
	s.mu.Lock()
	s.state.catalogDirty, s.state.pathDirty = true, true
	s.mu.Unlock()
	return err
}

// witnessed is the mask of one result column after the server has been heard.
func (s *Session) witnessed(p *Prepared, i, column int, o Origin) masking.Mask {
	mask := p.plans[i].Outputs[column].Mask
	if o.Rel == 0 {
		return mask
	}
	label, ok := p.scope.Catalog.Label(p.scope.Policy, &rewrite.TableColumn{Rel: o.Rel, Att: o.Att})
	if !ok {
		return mask
	}
	second := p.scope.Role.Mask(label)
	switch {
	case second == nil, mask == second:
		return mask
	case mask != nil:
		return masking.Strictest(mask, second)
	}
	s.Alert("the server knows a result column as protected that the plan does not",
		auditlog.Detail{Key: "column", Value: p.plans[i].Outputs[column].Name})
	return second
}
