package myrelay

import (
	"strconv"
	"testing"

	"sqlveil/protocol/mywire"
	"sqlveil/proxy/proxytest"
)

// questions is how many statements the server has been asked, and this question.
func (r *rig) questions() int {
	r.t.Helper()
	db, err := r.Open("")
	if err != nil {
		r.t.Fatal(err)
	}
	defer db.Close()
	var name, value string
	if err := db.QueryRowContext(r.t.Context(), "SHOW GLOBAL STATUS LIKE 'Questions'").Scan(&name, &value); err != nil {
		r.t.Fatal(err)
	}
	n, err := strconv.Atoi(value)
	if err != nil {
		r.t.Fatal(err)
	}
	return n
}

// A statement that has been planned costs the server one question: nothing is asked
// on the session's connection, before, behind or in between, nor elsewhere for it.
// Now and then definitions are compared in the background.
func TestStatementsAreOneQuestion(t *testing.T) {
	r := newRig(t)
	if r.lacks(proxytest.ProductTiDB, "counters of questions") {
		return
	}
	for _, user := range []string{"dba", "analyst"} {
		c := r.raw(user)
		st := c.prepare("SELECT mobile FROM person WHERE id = ?")
		turn := func(id int) (asked int) {
			for _, text := range []string{
				"BEGIN", "SELECT mobile FROM person WHERE id = " + strconv.Itoa(id),
				"UPDATE person SET name = 'x' WHERE id = " + strconv.Itoa(id), "COMMIT",
			} {
				c.send(mywire.AppendText(nil, mywire.ComQuery, []byte(text)))
				c.answers(false)
				asked++
			}
			c.send(executeCommand(st, uint32(id)))
			c.answers(true)
			return asked + 1
		}
		turn(1)
		before, ours := r.questions(), r.metrics.Questions.Load()
		asked := 0
		for id := range 50 {
			asked += turn(id)
		}
		if n := r.metrics.Questions.Load() - ours; n != 0 {
			t.Errorf("%s: %d questions of ours on the connection", user, n)
		}
		if n := r.questions() - before; n < asked || n > asked+asked/10 {
			t.Errorf("%s: the server was asked %d times for %d statements", user, n, asked)
		}
	}
}
