package pgwire

import (
	"fmt"

	"github.com/jackc/pgproto3/v2"

	"sqlveil/protocol"
)

// This file is the only one that uses pgproto3. It composes the messages that we
// send of our own accord, and decodes diagnostics that have been walked before:
// the library's decoders panic on lengths that do not fit (CVE-2026-32286), so
// nothing unchecked goes into them.

// composed is a message of pgproto3.
type composed interface {
	Encode(dst []byte) ([]byte, error)
}

// compose writes one message.
func (w *Writer) compose(m composed) error {
	dst, err := w.conn.Reserve(0)
	if err != nil {
		return err
	}
	out, err := m.Encode(dst)
	if err != nil {
		return fmt.Errorf("compose %T: %w", m, err)
	}
	return w.conn.Commit(out)
}

// Sync writes the end of a batch of the extended protocol.
func (w *Writer) Sync() error { return w.compose(&pgproto3.Sync{}) }

// FlushMessage writes a Flush, which asks the server for what it holds back.
func (w *Writer) FlushMessage() error { return w.compose(&pgproto3.Flush{}) }

// Terminate writes a goodbye to the server.
func (w *Writer) Terminate() error { return w.compose(&pgproto3.Terminate{}) }

// Describe asks for the columns of a statement or portal.
func (w *Writer) Describe(o Object) error {
	return w.compose(&pgproto3.Describe{ObjectType: o.letter(), Name: string(o.Name)})
}

// CloseObject closes a statement or portal.
func (w *Writer) CloseObject(o Object) error {
	return w.compose(&pgproto3.Close{ObjectType: o.letter(), Name: string(o.Name)})
}

func (o Object) letter() byte {
	if o.Portal {
		return 'P'
	}
	return 'S'
}

// Execute runs a portal, for at most maxRows rows unless that is 0.
func (w *Writer) Execute(portal []byte, maxRows uint32) error {
	return w.compose(&pgproto3.Execute{Portal: string(portal), MaxRows: maxRows})
}

// FunctionCall runs a function whose arguments are in the format of its result.
func (w *Writer) FunctionCall(f *FunctionCall) error {
	return w.compose(&pgproto3.FunctionCall{
		Function: f.Function, ArgFormatCodes: []uint16{uint16(f.ResultFormat)}, Arguments: f.Arguments, ResultFormatCode: uint16(f.ResultFormat),
	})
}

// CopyFail gives up a COPY into the server.
func (w *Writer) CopyFail(why string) error { return w.compose(&pgproto3.CopyFail{Message: why}) }

// AuthenticationOK tells the client that it is in.
func (w *Writer) AuthenticationOK() error { return w.compose(&pgproto3.AuthenticationOk{}) }

// AuthenticationSASL offers mechanisms, best first.
func (w *Writer) AuthenticationSASL(mechanisms []string) error {
	return w.compose(&pgproto3.AuthenticationSASL{AuthMechanisms: mechanisms})
}

// ParameterStatus reports a parameter of the session.
func (w *Writer) ParameterStatus(name, value string) error {
	return w.compose(&pgproto3.ParameterStatus{Name: name, Value: value})
}

// ReadyForQuery writes the end of an answer and the state of the transaction.
func (w *Writer) ReadyForQuery(state byte) error {
	return w.compose(&pgproto3.ReadyForQuery{TxStatus: state})
}

// ParseComplete writes the answer to a Parse.
func (w *Writer) ParseComplete() error { return w.compose(&pgproto3.ParseComplete{}) }

// BindComplete writes the answer to a Bind.
func (w *Writer) BindComplete() error { return w.compose(&pgproto3.BindComplete{}) }

// CloseComplete writes the answer to a Close.
func (w *Writer) CloseComplete() error { return w.compose(&pgproto3.CloseComplete{}) }

// NoData writes the description of a statement that returns no rows.
func (w *Writer) NoData() error { return w.compose(&pgproto3.NoData{}) }

// EmptyQueryResponse writes the end of a statement without content.
func (w *Writer) EmptyQueryResponse() error { return w.compose(&pgproto3.EmptyQueryResponse{}) }

// CommandComplete writes the end of a statement.
func (w *Writer) CommandComplete(tag string) error {
	return w.compose(&pgproto3.CommandComplete{CommandTag: []byte(tag)})
}

// RowDescription writes the columns of a result.
func (w *Writer) RowDescription(fields []FieldDescription) error {
	m := pgproto3.RowDescription{Fields: make([]pgproto3.FieldDescription, len(fields))}
	for i, f := range fields {
		m.Fields[i] = pgproto3.FieldDescription{
			Name:                 f.Name,
			TableOID:             f.TableOID,
			TableAttributeNumber: uint16(f.Attribute),
			DataTypeOID:          f.TypeOID,
			DataTypeSize:         f.TypeSize,
			TypeModifier:         f.TypeModifier,
			Format:               f.Format,
		}
	}
	return w.compose(&m)
}

// ParameterDescription writes the types of a statement's parameters.
func (w *Writer) ParameterDescription(types []uint32) error {
	return w.compose(&pgproto3.ParameterDescription{ParameterOIDs: types})
}

// DataRow writes one row; a nil cell is NULL.
func (w *Writer) DataRow(cells [][]byte) error {
	return w.compose(&pgproto3.DataRow{Values: cells})
}

// ErrorResponse writes an error.
func (w *Writer) ErrorResponse(d *Diagnostic) error { return w.compose(d.message()) }

// NoticeResponse writes a notice or warning.
func (w *Writer) NoticeResponse(d *Diagnostic) error {
	return w.compose((*pgproto3.NoticeResponse)(d.message()))
}

func (d *Diagnostic) message() *pgproto3.ErrorResponse {
	localized := d.Localized
	if localized == "" {
		localized = d.Severity
	}
	return &pgproto3.ErrorResponse{
		Severity:            localized,
		SeverityUnlocalized: d.Severity,
		Code:                d.Code,
		Message:             d.Message,
		Detail:              d.Detail,
		Hint:                d.Hint,
		Position:            d.Position,
		InternalPosition:    d.InternalPosition,
		InternalQuery:       d.InternalQuery,
		Where:               d.Where,
		SchemaName:          d.Schema,
		TableName:           d.Table,
		ColumnName:          d.Column,
		DataTypeName:        d.DataType,
		ConstraintName:      d.Constraint,
		File:                d.File,
		Line:                d.Line,
		Routine:             d.Routine,
	}
}

// DecodeDiagnostic decodes the body of an ErrorResponse or NoticeResponse.
func DecodeDiagnostic(body []byte) (*Diagnostic, error) {
	if err := checkDiagnostic(body); err != nil {
		return nil, failed("diagnostic", err)
	}
	var m pgproto3.ErrorResponse
	if err := contained(func() error { return m.Decode(body) }); err != nil {
		return nil, failed("diagnostic", err)
	}
	d := &Diagnostic{
		Severity:         m.SeverityUnlocalized,
		Localized:        m.Severity,
		Code:             m.Code,
		Message:          m.Message,
		Detail:           m.Detail,
		Hint:             m.Hint,
		Position:         m.Position,
		InternalPosition: m.InternalPosition,
		InternalQuery:    m.InternalQuery,
		Where:            m.Where,
		Schema:           m.SchemaName,
		Table:            m.TableName,
		Column:           m.ColumnName,
		DataType:         m.DataTypeName,
		Constraint:       m.ConstraintName,
		File:             m.File,
		Line:             m.Line,
		Routine:          m.Routine,
	}
	if d.Severity == "" {
		d.Severity = d.Localized // a server before 9.6 has only one
	}
	return d, nil
}

// A Notification is what NOTIFY sent to a listening session.
type Notification struct {
	ProcessID        uint32
	Channel, Payload string
}

// DecodeNotification decodes a NotificationResponse.
func DecodeNotification(body []byte) (Notification, error) {
	c := protocol.Over(body)
	c.Uint32()
	c.CString()
	c.CString()
	if err := c.End(); err != nil {
		return Notification{}, failed("NotificationResponse", err)
	}
	var m pgproto3.NotificationResponse
	err := contained(func() error { return m.Decode(body) })
	return Notification{m.PID, m.Channel, m.Payload}, failed("NotificationResponse", err)
}

// contained turns a panic of the library into an error.
func contained(decode func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: pgproto3: %v", protocol.ErrMalformed, p)
		}
	}()
	return decode()
}
