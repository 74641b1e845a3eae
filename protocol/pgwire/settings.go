package pgwire

import "strings"

// Settings returns the run-time settings that a StartupMessage makes: its
// parameters but for those that are none, and what its options hold. ok is false
// where the options hold another switch of the server's than -c, some of which
// make settings too.
//
// https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-STARTUPMESSAGE
func (s *Startup) Settings() (settings []Parameter, ok bool) {
	ok = true
	for _, p := range s.Parameters {
		switch {
		case p.Name == "user", p.Name == "database", p.Name == "replication", strings.HasPrefix(p.Name, "_pq_."):
		case p.Name == "options":
			var more []Parameter
			more, ok = decodeOptions(p.Value)
			settings = append(settings, more...)
		default:
			settings = append(settings, p)
		}
	}
	return settings, ok
}

// decodeOptions reads switches of the forms -c name=value, -cname=value and
// --name=value, as the server's command line has them.
func decodeOptions(text string) (settings []Parameter, ok bool) {
	words := splitOptions(text)
	for i := 0; i < len(words); i++ {
		setting, long := strings.CutPrefix(words[i], "--")
		short := false
		if !long {
			setting, short = strings.CutPrefix(words[i], "-c")
		}
		if !long && !short {
			return settings, false
		}
		if short && setting == "" {
			if i++; i == len(words) {
				return settings, false
			}
			setting = words[i]
		}
		name, value, given := strings.Cut(setting, "=")
		if !given {
			return settings, false
		}
		settings = append(settings, Parameter{strings.ReplaceAll(name, "-", "_"), value})
	}
	return settings, true
}

// splitOptions splits at white space; a backslash takes the character behind it
// as it is.
// https://github.com/postgres/postgres/blob/REL_18_STABLE/src/backend/utils/init/postinit.c (pg_split_opts)
func splitOptions(text string) []string {
	var words []string
	var word []byte
	started := false
	for i := 0; i < len(text); i++ {
		switch b := text[i]; {
		case b == ' ' || '\t' <= b && b <= '\r':
			if started {
				words = append(words, string(word))
			}
			word, started = word[:0], false
		case b == '\\' && i+1 < len(text):
			i++
			word, started = append(word, text[i]), true
		case b == '\\':
			started = true
		default:
			word, started = append(word, b), true
		}
	}
	if started {
		words = append(words, string(word))
	}
	return words
}
