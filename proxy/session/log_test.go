package session

import (
	"bytes"
	"strings"
	"testing"

	"github.com/rs/zerolog"
)

// What is logged of a session says of which.
func TestSessionLog(t *testing.T) {
	var out bytes.Buffer
	s := newSession(&Options{Log: zerolog.New(&out)}, "203.0.113.9:51522")
	s.Log.Info().Msg("hello")
	if got, want := out.String(), `"session":"`+s.ID+`","client":"203.0.113.9:51522"`; !strings.Contains(got, want) {
		t.Errorf("logged %s, which lacks %s", got, want)
	}
}
