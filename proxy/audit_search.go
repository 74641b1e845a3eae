package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"filippo.io/age"
	"github.com/spf13/cobra"

	"sqlveil/auditlog"
	"sqlveil/auditlog/chain"
	"sqlveil/auditlog/review"
)

// A selection is a filter as flags.
type selection struct {
	since, until string
	filter       review.Filter
}

func (s *selection) flags(cmd *cobra.Command, limit int) {
	f := cmd.Flags()
	f.StringVar(&s.since, "since", "", `from then on: 2026-11-23, "2026-11-23 16:15", RFC 3339, today, yesterday, 24h, 7d`)
	f.StringVar(&s.until, "until", "", "before then")
	f.StringVar(&s.filter.User, "user", "", "account or person; * stands for any text, here and below")
	f.StringVar(&s.filter.Role, "role", "", "role of the policy")
	f.StringVar(&s.filter.Table, "table", "", "table with a labelled column, or the end of its name")
	f.StringVar(&s.filter.Class, "class", "", "class of data")
	f.StringVar(&s.filter.Verdict, "verdict", "", "pass, mask or refuse")
	f.StringVar(&s.filter.Fingerprint, "fingerprint", "", "of the statement")
	f.StringVar(&s.filter.Kind, "kind", "", "of record: query.begin, auth.fail, ...")
	f.StringVar(&s.filter.Session, "session", "", "id of the session")
	f.StringVar(&s.filter.Application, "application", "", "name of the client program")
	f.StringVar(&s.filter.Address, "address", "", "of the client")
	f.StringVar(&s.filter.Command, "command", "", "SELECT, UPDATE, ...")
	f.StringVar(&s.filter.Code, "code", "", "of a refusal")
	f.StringVar(&s.filter.Text, "text", "", "somewhere in the statement without its values")
	f.IntVar(&s.filter.Limit, "limit", limit, "most rows; 0 for all")
	f.BoolVar(&s.filter.Oldest, "oldest", false, "oldest first")
}

func (s *selection) read() (err error) {
	now := time.Now()
	var err1, err2 error
	s.filter.Since, err1 = parseMoment(s.since, now)
	s.filter.Until, err2 = parseMoment(s.until, now)
	if err := errors.Join(err1, err2); err != nil {
		return &usageError{err}
	}
	return nil
}

// A question is a command that asks the index.
type question struct {
	use, short, long, example string
	limit                     int
	arguments                 cobra.PositionalArgs
	flags                     func(cmd *cobra.Command)
	// ask returns the answer and, for the record of the look, what was asked
	// beside the filter.
	ask func(ctx context.Context, x *review.Index, p *place, f review.Filter, args []string) (t *review.Table, asked string, err error)
}

// command makes the command: ask, put the look on record, print.
func (q *question) command() *cobra.Command {
	var p place
	var s selection
	var out format
	cmd := &cobra.Command{
		Use: q.use, Short: q.short, Long: q.long, Example: q.example, Args: q.arguments,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := errors.Join(s.read(), p.find(nil)); err != nil {
				return err
			}
			x, err := review.Open(cmd.Context(), p.directory, review.Options{Progress: progress(cmd.ErrOrStderr(), "index")})
			if err != nil {
				return err
			}
			defer x.Close()
			t, asked, err := q.ask(cmd.Context(), x, &p, s.filter, args)
			if err != nil {
				return err
			}
			t.Limit(s.filter.Limit)
			look := auditlog.Look{Command: cmd.Name(), Query: strings.TrimSpace(asked + " " + s.filter.String()), Rows: len(t.Rows)}
			if err := p.record(look); err != nil {
				return err
			}
			return out.print(cmd.OutOrStdout(), t)
		},
	}
	if q.arguments == nil {
		cmd.Args = arguments()
	}
	p.flags(cmd)
	s.flags(cmd, q.limit)
	out.flag(cmd)
	if q.flags != nil {
		q.flags(cmd)
	}
	return cmd
}

func auditIndexCommand() *cobra.Command {
	var p place
	var anew bool
	cmd := &cobra.Command{
		Use:   "index",
		Short: "Bring the index up to date, or make it anew",
		Long: `Bring the index up to date, or make it anew from the log. Other commands do so
themselves; the index holds nothing that is not in the log.`,
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := p.find(nil); err != nil {
				return err
			}
			o := review.Options{Progress: progress(cmd.ErrOrStderr(), "index")}
			if anew {
				if err := review.Remove(cmd.Context(), p.directory, o); err != nil {
					return err
				}
			}
			x, err := review.Open(cmd.Context(), p.directory, o)
			if err != nil {
				return err
			}
			last, at := x.Last()
			if _, err := fmt.Fprintf(cmd.OutOrStdout(), "records up to %d of %s are in the index\n", last, localTime(at)); err != nil {
				return err
			}
			return x.Close()
		},
	}
	p.flags(cmd)
	cmd.Flags().BoolVar(&anew, "rebuild", false, "make it anew")
	return cmd
}

// searchLimit is how many rows are shown when nobody says.
const searchLimit = 100

func auditSearchCommand() *cobra.Command {
	q := question{
		use: "search", short: "Find statements and other records", limit: searchLimit,
		example: `  sqlveil audit search --user ann --since 7d
  sqlveil audit search --table customers --class mobile --verdict refuse -o csv`,
		ask: func(ctx context.Context, x *review.Index, _ *place, f review.Filter, _ []string) (*review.Table, string, error) {
			rows, err := x.Search(ctx, f)
			return review.TableOf(rows), "", err
		},
	}
	return q.command()
}

func auditWhoSawCommand() *cobra.Command {
	var classes []string
	q := question{
		use: "who-saw VALUE", short: "Say who saw a person's data, and in which form", limit: searchLimit,
		long: `Say who saw a person's data, and in which form. VALUE identifies the person: a
customer's number or mobile, as the database writes it; - reads it from the
standard input, so that it stays out of the shell's history. The log holds keyed
hashes of such values only; so does the record of this look.`,
		example:   "  sqlveil audit who-saw 4711 --subject-class customer-id --since 2026-01-01",
		arguments: arguments("VALUE"),
		flags: func(cmd *cobra.Command) {
			cmd.Flags().StringSliceVar(&classes, "subject-class", nil, "what the value is, as a class of the policy; all when left out")
		},
		ask: func(ctx context.Context, x *review.Index, p *place, f review.Filter, args []string) (*review.Table, string, error) {
			value, err := argumentOrInput(args[0])
			if err != nil {
				return nil, "", err
			}
			secret, err := chain.LoadSubjectKey(orFile("", p.keys, chain.SubjectFile))
			if err != nil {
				return nil, "", err
			}
			if classes == nil {
				if classes, err = x.SubjectClasses(ctx); err != nil {
					return nil, "", err
				}
			}
			hasher := auditlog.NewSubjectHasher(secret)
			var keys []auditlog.SubjectKey
			var asked []string
			for _, class := range classes {
				key := hasher.Key(class, []byte(value))
				keys = append(keys, key)
				asked = append(asked, class+":"+hex.EncodeToString(key[:]))
			}
			rows, err := x.WhoSaw(ctx, keys, f)
			return review.WhoSawTable(rows), "subject=" + strings.Join(asked, ","), err
		},
	}
	return q.command()
}

func argumentOrInput(argument string) (string, error) {
	if argument != "-" {
		return argument, nil
	}
	line, err := bufio.NewReader(os.Stdin).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	return strings.TrimRight(line, "\r\n"), nil
}

func auditTailCommand() *cobra.Command {
	var p place
	var out format
	var n int
	var follow bool
	cmd := &cobra.Command{
		Use:   "tail",
		Short: "Show the newest records, and new ones as they come",
		Args:  arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := p.find(nil); err != nil {
				return err
			}
			asked := fmt.Sprintf("lines=%d follow=%t", n, follow)
			if err := p.record(auditlog.Look{Command: "tail", Query: asked}); err != nil {
				return err
			}
			show := newTail(cmd.OutOrStdout(), out)
			return review.Tail(cmd.Context(), p.directory, n, follow, show)
		},
	}
	p.flags(cmd)
	out.flag(cmd)
	cmd.Flags().IntVarP(&n, "lines", "n", 20, "how many of the newest")
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on with new ones until interrupted")
	return cmd
}

// newTail returns what prints one record at a time.
func newTail(to io.Writer, out format) func(line []byte) error {
	switch out {
	case asJSON:
		return func(line []byte) error {
			_, err := fmt.Fprintf(to, "%s\n", line)
			return err
		}
	case asCSV:
		w := csv.NewWriter(to)
		return func(line []byte) error {
			t, err := review.TableOfLine(line)
			if err != nil {
				return err
			}
			cells := make([]string, len(t.Rows[0]))
			for i, cell := range t.Rows[0] {
				cells[i] = inert(cellText(cell, time.RFC3339Nano))
			}
			if err := w.Write(cells); err != nil {
				return err
			}
			w.Flush()
			return w.Error()
		}
	}
	return func(line []byte) error {
		t, err := review.TableOfLine(line)
		if err != nil {
			return err
		}
		var text strings.Builder
		for _, cell := range t.Rows[0] {
			if s := visible(cellText(cell, timeFormat)); s != "" {
				text.WriteString(s + "  ")
			}
		}
		_, err = fmt.Fprintln(to, strings.TrimRight(text.String(), " "))
		return err
	}
}

func auditShowCommand() *cobra.Command {
	var p place
	var auditor string
	cmd := &cobra.Command{
		Use:   "show NUMBER",
		Short: "Show one record as it stands in the log, with its outcome",
		Args:  arguments("NUMBER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			seq, err := strconv.ParseUint(args[0], 10, 64)
			if err != nil {
				return &usageError{fmt.Errorf("%q is not the number of a record", args[0])}
			}
			if err := p.find(nil); err != nil {
				return err
			}
			var identities []age.Identity
			if auditor != "" {
				if identities, err = chain.LoadIdentities(auditor); err != nil {
					return err
				}
			}
			lines, err := review.Story(cmd.Context(), p.directory, seq)
			if err != nil {
				return err
			}
			asked := fmt.Sprintf("seq=%d original=%t", seq, auditor != "")
			if err := p.record(auditlog.Look{Command: "show", Query: asked, Rows: len(lines)}); err != nil {
				return err
			}
			return printStory(cmd.OutOrStdout(), lines, identities)
		},
	}
	p.flags(cmd)
	cmd.Flags().StringVar(&auditor, "auditor", "", "the file of the auditor's own key, to show the original text where it was kept")
	return cmd
}

func printStory(to io.Writer, lines [][]byte, identities []age.Identity) error {
	for _, line := range lines {
		var out bytes.Buffer
		if err := json.Indent(&out, line, "", "  "); err != nil {
			return err
		}
		if _, err := fmt.Fprintln(to, out.String()); err != nil {
			return err
		}
		sealed, err := review.Sealed(line)
		if err != nil {
			return err
		}
		if identities == nil || sealed == nil {
			continue
		}
		text, err := auditlog.Unseal(sealed, identities)
		if err != nil {
			return fmt.Errorf("the original text: %w", err)
		}
		if _, err := fmt.Fprintf(to, "original: %s\n", visible(text)); err != nil {
			return err
		}
	}
	return nil
}

func auditExportCommand() *cobra.Command {
	var p place
	var s selection
	var out string
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write whole records to the standard output",
		Long: `Write whole records to the standard output, as they stand in the log (jsonl, a
line each, outcomes included) or as rows (csv).`,
		Example: "  sqlveil audit export --since 2026-11-01 --until 2026-12-01 > november.jsonl",
		Args:    arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if out != "jsonl" && out != "csv" {
				return &usageError{fmt.Errorf("--format %s is not jsonl or csv", out)}
			}
			if err := errors.Join(s.read(), p.find(nil)); err != nil {
				return err
			}
			x, err := review.Open(cmd.Context(), p.directory, review.Options{Progress: progress(cmd.ErrOrStderr(), "index")})
			if err != nil {
				return err
			}
			defer x.Close()
			s.filter.Oldest = true
			rows, err := x.Search(cmd.Context(), s.filter)
			if err != nil {
				return err
			}
			if err := p.record(auditlog.Look{Command: "export", Query: s.filter.String(), Rows: len(rows)}); err != nil {
				return err
			}
			if out == "csv" {
				return asCSV.print(cmd.OutOrStdout(), review.TableOf(rows))
			}
			w := bufio.NewWriterSize(cmd.OutOrStdout(), 1<<20)
			err = review.Export(cmd.Context(), p.directory, rows, func(line []byte) error {
				_, err := w.Write(append(line, '\n'))
				return err
			})
			return errors.Join(err, w.Flush())
		},
	}
	p.flags(cmd)
	s.flags(cmd, 0)
	cmd.Flags().StringVar(&out, "format", "jsonl", "jsonl or csv")
	return cmd
}
