package chain

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"filippo.io/age"
	"golang.org/x/mod/sumdb/note"
)

// The files of a key directory.
const (
	SigningFile  = "signing.key"  // signs checkpoints; stays with the proxy
	VerifyFile   = "verify.pub"   // checks them; for everybody
	SubjectFile  = "subject.key"  // makes subject keys; for the proxy and for who asks about a person
	AuditorsFile = "auditors.pub" // whom sealed texts and chain keys are encrypted to
	AuditorFile  = "auditor.key"  // opens them; belongs to the auditor, away from the proxy
)

// Keys is what a proxy keeps a log with.
type Keys struct {
	Signer     note.Signer
	Verifier   note.Verifier
	Subject    Key
	Recipients []age.Recipient
	Public     string // Verifier in text form

	files map[string]string // as they were loaded
}

// GenerateKeys makes a new set of keys in dir, which must have none. The
// auditor's own key goes to the file auditor, so that it need never be in dir.
func GenerateKeys(dir, auditor string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	private, public, err := note.GenerateKey(rand.Reader, KeyName)
	if err != nil {
		return err
	}
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		return err
	}
	var subject Key
	rand.Read(subject[:])
	// The verifier's file comes last: it marks the set as complete.
	return errors.Join(
		writeNew(auditor, identity.String()),
		writeNew(filepath.Join(dir, AuditorsFile), identity.Recipient().String()),
		writeNew(filepath.Join(dir, SubjectFile), base64.StdEncoding.EncodeToString(subject[:])),
		writeNew(filepath.Join(dir, SigningFile), private),
		writeNew(filepath.Join(dir, VerifyFile), public),
	)
}

// HasKeys reports whether dir holds any file of a set.
func HasKeys(dir string) (bool, error) {
	for _, name := range []string{SigningFile, VerifyFile, SubjectFile, AuditorsFile} {
		_, err := os.Stat(filepath.Join(dir, name))
		if err == nil {
			return true, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
	}
	return false, nil
}

// LoadKeys reads a proxy's keys.
func LoadKeys(dir string) (*Keys, error) {
	private, err1 := readKey(filepath.Join(dir, SigningFile))
	public, err2 := readKey(filepath.Join(dir, VerifyFile))
	auditors, err3 := os.ReadFile(filepath.Join(dir, AuditorsFile))
	subject, err4 := LoadSubjectKey(filepath.Join(dir, SubjectFile))
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return nil, err
	}
	k := &Keys{Public: public, Subject: subject, files: map[string]string{
		SigningFile: private, VerifyFile: public, AuditorsFile: strings.TrimSpace(string(auditors)),
		SubjectFile: base64.StdEncoding.EncodeToString(subject[:]),
	}}
	var err error
	if k.Signer, err = note.NewSigner(private); err != nil {
		return nil, fmt.Errorf("%s: %w", SigningFile, err)
	}
	if k.Verifier, err = note.NewVerifier(public); err != nil {
		return nil, fmt.Errorf("%s: %w", VerifyFile, err)
	}
	if k.Signer.KeyHash() != k.Verifier.KeyHash() {
		return nil, fmt.Errorf("%s and %s are not a pair", SigningFile, VerifyFile)
	}
	if k.Recipients, err = age.ParseRecipients(bytes.NewReader(auditors)); err != nil {
		return nil, fmt.Errorf("%s: %w", AuditorsFile, err)
	}
	return k, nil
}

// Restore writes the keys again where the directory has lost them.
func (k *Keys) Restore(dir string) error {
	if has, err := HasKeys(dir); has || err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for name, text := range k.files {
		if err := writeNew(filepath.Join(dir, name), text); err != nil {
			return err
		}
	}
	return nil
}

// LoadVerifier reads the public key from a file, or takes it as it stands.
func LoadVerifier(fileOrKey string) (note.Verifier, error) {
	if v, err := note.NewVerifier(fileOrKey); err == nil {
		return v, nil
	}
	text, err := readKey(fileOrKey)
	if err != nil {
		return nil, err
	}
	v, err := note.NewVerifier(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", fileOrKey, err)
	}
	return v, nil
}

// LoadSubjectKey reads the key that subject keys are made with.
func LoadSubjectKey(file string) (Key, error) {
	var k Key
	text, err := readKey(file)
	if err != nil {
		return k, err
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(raw) != len(k) {
		return k, fmt.Errorf("%s: not %d bytes in base64", file, len(k))
	}
	copy(k[:], raw)
	return k, nil
}

// LoadIdentities reads an auditor's own keys.
func LoadIdentities(file string) ([]age.Identity, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	identities, err := age.ParseIdentities(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return identities, nil
}

// Seal encrypts plain to the auditors, in base64.
func (k *Keys) Seal(plain []byte) (string, error) {
	var out bytes.Buffer
	w, err := age.Encrypt(&out, k.Recipients...)
	if err != nil {
		return "", err
	}
	if _, err := w.Write(plain); err != nil {
		return "", err
	}
	if err := w.Close(); err != nil {
		return "", err
	}
	return base64.StdEncoding.EncodeToString(out.Bytes()), nil
}

// Unseal is the auditor's side of Seal.
func Unseal(sealed string, identities []age.Identity) ([]byte, error) {
	raw, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil {
		return nil, err
	}
	r, err := age.Decrypt(bytes.NewReader(raw), identities...)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

func readKey(file string) (string, error) {
	text, err := os.ReadFile(file)
	return strings.TrimSpace(string(text)), err
}

// writeNew writes a file that must not be there yet: keys are never replaced
// by accident.
func writeNew(file, text string) error {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text + "\n")
	return errors.Join(err, f.Sync(), f.Close())
}
