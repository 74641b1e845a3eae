package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"sqlveil/auditlog"
	"sqlveil/auditlog/anchor"
	"sqlveil/auditlog/chain"
	"sqlveil/auditlog/segment"
	"sqlveil/auditlog/verify"
)

func auditCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Verify, follow and search the audit log",
		Long: `Verify, follow and search the audit log.

Every look at the log is a record of the same log, made before anything is
shown: through the proxy that writes the log or, where none runs, by the command
itself. A copy of a log that is kept elsewhere is read with --copy.`,
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		auditTailCommand(),
		auditSearchCommand(),
		auditShowCommand(),
		auditWhoSawCommand(),
		auditExportCommand(),
		auditIndexCommand(),
		auditVerifyCommand(),
		auditProveCommand(),
		auditKeygenCommand(),
		auditHoldCommand(),
		auditRotateKeyCommand(),
	)
	cmd.AddCommand(questions()...)
	return cmd
}

// A place is where a log is: flags of every audit command.
type place struct {
	config    string
	directory string
	keys      string
	copied    bool
}

func (p *place) flags(cmd *cobra.Command) {
	configFlag(cmd, &p.config)
	cmd.Flags().StringVarP(&p.directory, "directory", "d", "", "the log's directory; the configuration's when left out")
	cmd.Flags().StringVar(&p.keys, "keys", "", "the directory of the log's keys; the configuration's, or below the log's, when left out")
	cmd.Flags().BoolVar(&p.copied, "copy", false, "this is a copy of a log: looking at it is not put on record")
}

// find fills in what the flags leave out. The directory may be an argument too.
func (p *place) find(args []string) error {
	if len(args) > 0 {
		p.directory = args[0]
	}
	if p.directory == "" {
		c, err := configured(p.config)
		if err != nil {
			return err
		}
		p.directory = c.Audit.Directory
		if p.keys == "" {
			p.keys = c.Audit.Keys
		}
	}
	if p.keys == "" {
		p.keys = filepath.Join(p.directory, segment.KeyDirectory)
	}
	if _, err := os.Stat(p.directory); err != nil {
		return err
	}
	files, err := segment.List(p.directory)
	if err == nil && len(files) == 0 {
		return fmt.Errorf("%s holds no audit log", p.directory)
	}
	return err
}

// record puts a look at the log on record. What is shown must come after it.
func (p *place) record(k auditlog.Look) error {
	if p.copied {
		return nil
	}
	err := p.ask(auditlog.Request{Look: &k})
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("this look cannot be put on record, so nothing is shown (a copy of a log is read with --copy): %w", err)
	}
	return err
}

func (p *place) ask(r auditlog.Request) error {
	return auditlog.Ask(auditlog.Options{Directory: p.directory, Keys: p.keys}, r)
}

func auditVerifyCommand() *cobra.Command {
	var p place
	var key, auditor string
	var anchors []string
	var accept []int64
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "verify [DIRECTORY]",
		Short: "Prove that nothing in the log was changed, removed or added",
		Long: `Prove that nothing in the log was changed, removed or added. The log's files and
its public key are enough; no proxy need run. Exit status 1 says that something is
not as it was written, each with its segment and line.

With the auditor's key the authentication code of every record is checked too,
and with checkpoints that were kept elsewhere (--anchor) a directory that was
rolled back is found out.`,
		Example: `  sqlveil audit verify audit
  sqlveil audit verify --key verify.pub --auditor auditor.key --anchor mailbox/ audit`,
		Args: atMost(1, "DIRECTORY"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := p.find(args); err != nil {
				return err
			}
			o := verify.Options{Progress: progress(cmd.ErrOrStderr(), "verify")}
			var err error
			if o.Verifier, err = chain.LoadVerifier(orFile(key, p.keys, chain.VerifyFile)); err != nil {
				return err
			}
			if auditor != "" {
				if o.Identities, err = chain.LoadIdentities(auditor); err != nil {
					return err
				}
			}
			if o.Anchored, err = anchored(anchors); err != nil {
				return err
			}
			for _, seq := range accept {
				o.Accept = append(o.Accept, uint64(seq))
			}
			report, err := verify.Directory(cmd.Context(), p.directory, o)
			if err != nil {
				return err
			}
			if err := p.recordVerify(report, cmd.ErrOrStderr()); err != nil {
				return err
			}
			if asJSON {
				err = printJSON(cmd.OutOrStdout(), report)
			} else {
				printReport(cmd.OutOrStdout(), report)
			}
			if err == nil && !report.OK() {
				err = errSilent
			}
			return err
		},
	}
	p.flags(cmd)
	cmd.Flags().StringVar(&key, "key", "", "the public key or its file; verify.pub of the log's keys when left out")
	cmd.Flags().StringVar(&auditor, "auditor", "", "the file of the auditor's own key, to check the records' authentication codes")
	cmd.Flags().StringArrayVar(&anchors, "anchor", nil, "a checkpoint that was kept elsewhere, or a directory of them")
	cmd.Flags().Int64SliceVar(&accept, "accept", nil, "numbers of gap records that somebody has looked into")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the report as JSON")
	return cmd
}

// recordVerify puts a verification on record. A log that is not whole and that
// nobody writes is left as it is: opening it would repair its end.
func (p *place) recordVerify(report *verify.Report, warn io.Writer) error {
	live, err := verify.Live(p.directory)
	if err != nil {
		return err
	}
	if !live && !report.OK() {
		fmt.Fprintln(warn, "sqlveil: this look is not on record, so as to leave the log as it is")
		return nil
	}
	err = p.record(auditlog.Look{Command: "verify", Query: p.directory, Rows: int(report.Records)})
	if !live && errors.Is(err, fs.ErrPermission) {
		fmt.Fprintln(warn, "sqlveil: this look is not on record: the log cannot be written")
		return nil
	}
	return err
}

func printReport(to io.Writer, r *verify.Report) {
	for _, f := range r.Findings {
		fmt.Fprintln(to, f)
	}
	for _, g := range r.Gaps {
		fmt.Fprintf(to, "record %d says that %s missing (%s); once somebody has looked into it: --accept %d\n", g.Seq, gapText(g), g.Reason, g.Seq)
	}
	for _, text := range r.Notes {
		fmt.Fprintln(to, text)
	}
	verdict := "the log is whole"
	if !r.OK() {
		verdict = count(len(r.Findings), "thing") + " found: the log is not as it was written"
	}
	fmt.Fprintf(to, "log %s: %s in %s, numbers %d to %d, last signed %s\n", r.Log,
		count(int(r.Records), "record"), count(r.Segments, "segment"), r.First, r.Last, r.Signed.Local().Format(timeFormat))
	fmt.Fprintf(to, "%s checked, %d of them from elsewhere; %s of records checked\n",
		count(r.Checkpoints, "signed checkpoint"), r.Anchored, count(int(r.MACs), "authentication code"))
	fmt.Fprintln(to, verdict)
}

// timeFormat is local time with its offset.
const timeFormat = "2006-01-02 15:04:05 -07:00"

func gapText(g verify.Gap) string {
	switch {
	case g.From == 0:
		return count(int(g.Count), "record") + " are"
	case g.From == g.To:
		return fmt.Sprintf("number %d is", g.From)
	}
	return fmt.Sprintf("numbers %d to %d are", g.From, g.To)
}

// anchored reads signed checkpoints from files, and from all files of
// directories.
func anchored(paths []string) (notes [][]byte, err error) {
	for _, path := range paths {
		err := filepath.WalkDir(path, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			text, err := os.ReadFile(path)
			notes = append(notes, anchor.Notes(text)...)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return notes, nil
}

func orFile(path, dir, name string) string {
	if path != "" {
		return path
	}
	return filepath.Join(dir, name)
}

func auditProveCommand() *cobra.Command {
	var p place
	var key, check string
	cmd := &cobra.Command{
		Use:   "prove NUMBER",
		Short: "Print one record with a proof that it is in the log",
		Long: `Print one record with its inclusion proof (RFC 6962) and the signed checkpoint
that it ends in. Who has the public key checks it with --check, without the log.`,
		Example: `  sqlveil audit prove 184467 > proof.json
  sqlveil audit prove --check proof.json --key verify.pub`,
		Args: atMost(1, "NUMBER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if check != "" {
				return checkProof(cmd.OutOrStdout(), check, key)
			}
			if len(args) == 0 {
				return &usageError{errors.New("audit prove wants the number of a record, or --check")}
			}
			seq, err := strconv.ParseUint(args[0], 10, 64)
			if err != nil {
				return &usageError{fmt.Errorf("%q is not the number of a record", args[0])}
			}
			if err := p.find(nil); err != nil {
				return err
			}
			verifier, err := chain.LoadVerifier(orFile(key, p.keys, chain.VerifyFile))
			if err != nil {
				return err
			}
			proof, err := verify.Prove(cmd.Context(), p.directory, seq, verifier)
			if err != nil {
				return err
			}
			if err := p.record(auditlog.Look{Command: "prove", Query: "seq=" + args[0], Rows: 1}); err != nil {
				return err
			}
			encoder := json.NewEncoder(cmd.OutOrStdout())
			encoder.SetEscapeHTML(false)
			encoder.SetIndent("", "  ")
			return encoder.Encode(proof)
		},
	}
	p.flags(cmd)
	cmd.Flags().StringVar(&key, "key", "", "the public key or its file; verify.pub of the log's keys when left out")
	cmd.Flags().StringVar(&check, "check", "", "check the proof in this file; needs --key and no log")
	return cmd
}

// checkProof checks a proof by itself.
func checkProof(to io.Writer, path, key string) error {
	if key == "" {
		return &usageError{errors.New("audit prove --check wants --key")}
	}
	verifier, err := chain.LoadVerifier(key)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	proof, err := verify.ParseProof(text)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := proof.Check(verifier); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	_, err = fmt.Fprintf(to, "the record is in the log\n%s\n", proof.Record)
	return err
}

func auditKeygenCommand() *cobra.Command {
	var out, auditor string
	cmd := &cobra.Command{
		Use:   "keygen",
		Short: "Make the keys of a log",
		Long: `Make the keys of a log before its first start: one that signs checkpoints, its
public half, one that hashes persons, and the auditor's. The auditor's own key
opens what the proxy itself cannot read back; keep it away from the proxy's
machine. A log that is started without keys makes them below its directory.`,
		Example: "  sqlveil audit keygen --out /etc/sqlveil/audit-keys --auditor /media/usb/auditor.key",
		Args:    arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if out == "" || auditor == "" {
				return &usageError{errors.New("audit keygen wants --out and --auditor")}
			}
			if err := chain.GenerateKeys(out, auditor); err != nil {
				return err
			}
			keys, err := chain.LoadKeys(out)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n", keys.Public)
			return err
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "the directory for the proxy's keys (audit.keys in sqlveil.yaml)")
	cmd.Flags().StringVar(&auditor, "auditor", "", "the file for the auditor's own key")
	return cmd
}

func auditHoldCommand() *cobra.Command {
	var p place
	var reason, from, to string
	var lift, list bool
	cmd := &cobra.Command{
		Use:   "hold [NAME]",
		Short: "Keep records from being deleted, whatever their age",
		Example: `  sqlveil audit hold case-7 --reason "court order 118" --from 2026-01-01 --to 2026-03-31
  sqlveil audit hold case-7 --lift`,
		Args: atMost(1, "NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := p.find(nil); err != nil {
				return err
			}
			switch {
			case list || len(args) == 0:
				return printHolds(cmd.OutOrStdout(), p.directory)
			case lift:
				return p.ask(auditlog.Request{Lift: args[0]})
			}
			hold := auditlog.Hold{Name: args[0], Reason: reason}
			var err1, err2 error
			hold.From, err1 = parseMoment(from, time.Now())
			hold.To, err2 = parseMoment(to, time.Now())
			if err := errors.Join(err1, err2); err != nil {
				return &usageError{err}
			}
			return p.ask(auditlog.Request{Hold: &hold})
		},
	}
	p.flags(cmd)
	cmd.Flags().StringVar(&reason, "reason", "", "why, for the record")
	cmd.Flags().StringVar(&from, "from", "", "hold records from then on; all when left out")
	cmd.Flags().StringVar(&to, "to", "", "hold records until then; all when left out")
	cmd.Flags().BoolVar(&lift, "lift", false, "take the hold back")
	cmd.Flags().BoolVar(&list, "list", false, "list the holds")
	return cmd
}

func printHolds(to io.Writer, dir string) error {
	holds, err := auditlog.Holds(dir)
	if err != nil {
		return err
	}
	g := newGrid("hold", "from", "to", "set", "by", "reason")
	for _, h := range holds {
		g.add(h.Name, localTime(h.From), localTime(h.To), localTime(h.Set), h.By, h.Reason)
	}
	g.print(to)
	return nil
}

func localTime(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format(timeFormat)
}

func auditRotateKeyCommand() *cobra.Command {
	var p place
	cmd := &cobra.Command{
		Use:   "rotate-key",
		Short: "Replace the key that records are authenticated with",
		Args:  arguments(),
		RunE: func(*cobra.Command, []string) error {
			if err := p.find(nil); err != nil {
				return err
			}
			return p.ask(auditlog.Request{RotateKey: true})
		},
	}
	p.flags(cmd)
	return cmd
}

// atMost allows up to so many arguments.
func atMost(n int, names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > n {
			return &usageError{fmt.Errorf("%s wants at most %s, got %d arguments", cmd.CommandPath(), strings.Join(names, " "), len(args))}
		}
		return nil
	}
}

// parseMoment reads a time as people type it: a date, a date with a time, RFC
// 3339, "now", "today", "yesterday", or how long ago ("90m", "24h", "7d").
func parseMoment(text string, now time.Time) (time.Time, error) {
	day := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, now.Location())
	switch text {
	case "":
		return time.Time{}, nil
	case "now":
		return now, nil
	case "today":
		return day, nil
	case "yesterday":
		return day.AddDate(0, 0, -1), nil
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n >= 0 {
			return now.AddDate(0, 0, -n), nil
		}
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	for _, layout := range []string{time.RFC3339Nano, time.DateTime, "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a time: give 2026-11-23, \"2026-11-23 16:15\", RFC 3339, today, yesterday, 24h or 7d", text)
}
