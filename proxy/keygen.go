package main

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"

	"github.com/spf13/cobra"
)

// maskingKeySize is what keyed masks need.
const maskingKeySize = 32

func keygenCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "keygen",
		Short:   "Print a new masking key, for the file that keys.masking names",
		Example: "  (umask 077; sqlveil keygen > masking.key)",
		Args:    arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), newMaskingKey())
			return err
		},
	}
}

// newMaskingKey returns random bytes in base64.
func newMaskingKey() string {
	key := make([]byte, maskingKeySize)
	rand.Read(key) // never fails
	return base64.StdEncoding.EncodeToString(key)
}
