package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
)

// verify ends the gateway and lets `sqlveil audit verify` judge its log.
func (d *demo) verify(ctx context.Context, to io.Writer) error {
	d.stop()
	err := <-d.ended
	d.ended = nil
	if err != nil {
		return err
	}
	fmt.Fprintln(to, "\nEvery value above is what the policy says. The audit log:")
	if code := run(ctx, []string{"audit", "verify", d.auditDirectory()}, to, to); code != exitOK {
		return errors.New("the audit log does not verify")
	}
	return nil
}

// follow is `sqlveil audit tail --follow`, until ctx ends.
func (d *demo) follow(ctx context.Context, to io.Writer) error {
	if code := run(ctx, []string{"audit", "tail", "--follow", "--directory", d.auditDirectory()}, to, to); code != exitOK {
		return errors.New("the audit log cannot be followed")
	}
	return nil
}

func (d *demo) auditDirectory() string { return filepath.Join(d.directory, "audit") }
