package pgrelay

import "testing"

// The mode is not known before both settings are, and follows what is reported.
func TestSettings(t *testing.T) {
	t.Parallel()
	var s settings
	reports := []struct{ conforming, encoding, mode string }{
		{conforming: "on", mode: "unknown"},
		{encoding: "UTF8", mode: ""},
		{encoding: "LATIN1", mode: "client_encoding=LATIN1"},
		{conforming: "off", mode: "standard_conforming_strings=off client_encoding=LATIN1"},
		{encoding: "UTF8", mode: "standard_conforming_strings=off"},
		{conforming: "on", mode: ""},
	}
	for _, r := range reports {
		if r.conforming != "" {
			s.note(&s.conforming, r.conforming)
		} else {
			s.note(&s.encoding, r.encoding)
		}
		got := "unknown"
		if mode := s.mode.Load(); mode != nil {
			got = *mode
		}
		if got != r.mode {
			t.Errorf("after %+v: %q", r, got)
		}
	}
}
