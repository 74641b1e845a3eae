package main

import (
	"bytes"
	"io"
	"net"
	"slices"
	"strings"
	"sync"

	"sqlveil/protocol/pgwire"
)

// A recorder stands between a client and what the client takes for the server,
// and reads along. It hands each answer, which is all bytes up to a
// ReadyForQuery, to its listener before the client gets the last of them.
type recorder struct {
	target string
	socket net.Listener
	listen func(*answer)

	sessions sync.WaitGroup
}

// An answer is what a client got back for what it asked at one time.
type answer struct {
	session int      // by which number of the recorder's, from 1
	texts   []string // of Query and Parse
	bytes   []byte   // all, in the order of their coming
	rows    int
	tags    []string
	errors  []serverError
	inside  bool           // a transaction was open
	ended   bool           // the connection ended before the answer did
	cells   map[int][]byte // what short cells spell, by column
}

// A serverError is what an ErrorResponse says.
type serverError struct{ state, message string }

// ours reports whether the proxy said no, and not the server.
func (e serverError) ours() bool { return strings.HasPrefix(e.message, "sqlveil: ") }

// record starts a recorder in front of an address.
func record(target string, listen func(*answer)) (*recorder, error) {
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &recorder{target: target, socket: socket, listen: listen}
	r.sessions.Go(r.accept)
	return r, nil
}

func (r *recorder) address() string { return r.socket.Addr().String() }

// close waits until the clients have gone.
func (r *recorder) close() error {
	err := r.socket.Close()
	r.sessions.Wait()
	return err
}

func (r *recorder) accept() {
	for number := 1; ; number++ {
		client, err := r.socket.Accept()
		if err != nil {
			return // closed
		}
		r.sessions.Go(func() { r.serve(client, number) })
	}
}

// serve passes everything on in both directions until one side leaves.
func (r *recorder) serve(client net.Conn, number int) {
	defer client.Close()
	server, err := net.Dial("tcp", r.target)
	if err != nil {
		return // the client sees its connection end
	}
	defer server.Close()
	s := &recording{number: number, listen: r.listen}
	s.begin(pgwire.TxIdle)
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		defer server.Close()
		s.pass(client, server, s.asked, true)
	})
	s.pass(server, client, s.answered, false)
	client.Close()
	s.end()
}

// A recording is one session's.
type recording struct {
	number int
	listen func(*answer)

	mu  sync.Mutex
	now *answer // guarded by mu
}

// begin begins the next answer, in that state of the transaction.
func (s *recording) begin(state byte) {
	s.now = &answer{session: s.number, inside: state != pgwire.TxIdle, cells: make(map[int][]byte)}
}

// pass passes bytes on, each message when it has been read in whole. A client's
// first message has no letter.
func (s *recording) pass(from io.Reader, to io.Writer, read func(letter byte, message []byte), first bool) {
	var held []byte
	chunk := make([]byte, 32<<10)
	for {
		n, err := from.Read(chunk)
		held = append(held, chunk[:n]...)
		passed := 0
		for {
			size := messageSize(held[passed:], first)
			if size == 0 || len(held)-passed < size {
				break
			}
			if message := held[passed : passed+size]; first {
				first = false
			} else {
				read(message[0], message)
			}
			passed += size
		}
		if _, writeErr := to.Write(held[:passed]); writeErr != nil || err != nil {
			return
		}
		held = append(held[:0], held[passed:]...)
	}
}

// messageSize is the size of the message that data begins with, 0 while that
// cannot be told.
func messageSize(data []byte, first bool) int {
	letter := 1
	if first {
		letter = 0
	}
	if len(data) < letter+4 {
		return 0
	}
	l := data[letter:]
	return letter + (int(l[0])<<24 | int(l[1])<<16 | int(l[2])<<8 | int(l[3]))
}

// asked notes the texts of statements.
func (s *recording) asked(letter byte, message []byte) {
	var text []byte
	switch letter {
	case pgwire.MsgQuery:
		text = bytes.TrimRight(message[5:], "\x00")
	case pgwire.MsgParse:
		_, rest, _ := bytes.Cut(message[5:], []byte{0}) // behind the name
		text, _, _ = bytes.Cut(rest, []byte{0})
	default:
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now.texts = append(s.now.texts, string(text))
}

// answered notes what the server's side sends.
func (s *recording) answered(letter byte, message []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now.add(letter, message)
	if letter == pgwire.MsgReadyForQuery {
		s.listen(s.now)
		s.begin(message[len(message)-1])
	}
}

// end hands over what came before the connection ended.
func (s *recording) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now.ended = len(s.now.texts) > 0; s.now.ended || len(s.now.bytes) > 0 {
		s.listen(s.now)
	}
}

func (a *answer) add(letter byte, message []byte) {
	a.bytes = append(a.bytes, message...)
	body := message[5:]
	switch letter {
	case pgwire.MsgDataRow:
		a.rows++
		a.addRow(body)
	case pgwire.MsgCopyData:
		a.rows++
	case pgwire.MsgCommandComplete:
		a.tags = append(a.tags, string(bytes.TrimRight(body, "\x00")))
	case pgwire.MsgErrorResponse:
		a.errors = append(a.errors, serverErrorOf(body))
	}
}

// A shortCell may be a character, or the number of one.
const shortCell = 4

// addRow keeps what columns spell from row to row.
func (a *answer) addRow(body []byte) {
	cells, err := pgwire.DecodeDataRow(nil, body)
	if err != nil {
		a.errors = append(a.errors, serverError{message: "a row that cannot be read: " + err.Error()})
		return
	}
	for i, cell := range cells {
		if len(cell) > 0 && len(cell) <= shortCell {
			a.cells[i] = append(a.cells[i], character(cell)...)
		}
	}
}

// character is the character that a cell is the code of, else the cell.
func character(cell []byte) []byte {
	code := 0
	for _, c := range cell {
		if !isDigit(c) {
			return cell
		}
		code = code*10 + int(c-'0')
	}
	if code < ' ' || code > '~' {
		return cell
	}
	return []byte{byte(code)}
}

// serverErrorOf reads the fields of an ErrorResponse.
// https://www.postgresql.org/docs/current/protocol-error-fields.html
func serverErrorOf(body []byte) serverError {
	var e serverError
	for field := range bytes.SplitSeq(body, []byte{0}) {
		if len(field) == 0 {
			continue
		}
		switch field[0] {
		case 'C':
			e.state = string(field[1:])
		case 'M':
			e.message = string(field[1:])
		}
	}
	return e
}

// found is what a search finds in the answer: in its bytes as they came, in what
// is left of them without what separates words, and down its columns.
func (a *answer) found(s *search) []finding {
	found := s.find(a.bytes, false)
	found = append(found, s.find(withoutSeparators(a.bytes), true)...)
	for i, cells := range a.cells {
		for _, f := range s.find(withoutSeparators(cells), true) {
			f.What += " down a column"
			found = append(found, f)
		}
		delete(a.cells, i)
	}
	slices.SortFunc(found, func(a, b finding) int { return strings.Compare(a.What, b.What) })
	return slices.CompactFunc(found, func(a, b finding) bool { return a.What == b.What })
}

// withoutSeparators drops what may stand between the characters of a word.
func withoutSeparators(data []byte) []byte {
	out := make([]byte, 0, len(data))
	for _, c := range data {
		if c > ' ' && bytes.IndexByte([]byte(`,-._|/:;*#"'\{}()[]<>`), c) < 0 {
			out = append(out, c)
		}
	}
	return out
}
