package main

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"golang.org/x/term"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/names"
)

type idCmd struct {
	Show    idShowCmd    `cmd:"" help:"Print your fingerprint, contact link and public keys."`
	New     idNewCmd     `cmd:"" help:"Create an identity and print the 24 words that restore it."`
	Restore idRestoreCmd `cmd:"" help:"Create the identity of the 24 words read from standard input."`
	Trust   idTrustCmd   `cmd:"" help:"Accept a fingerprint for a name that was known with another."`
}

// identityFlag is for every command that acts as somebody.
type identityFlag struct {
	Identity *string `type:"home" placeholder:"FILE" help:"Identity file (default: wzp/identity in your configuration directory)."`
}

// path returns the identity file to use.
func (f identityFlag) path() (string, error) {
	return fileOr(f.Identity, "--identity", identity.DefaultFile)
}

// load returns the identity that must be there, and its file.
func (f identityFlag) load() (path string, seed identity.Seed, err error) {
	if path, err = f.path(); err != nil {
		return "", identity.Seed{}, err
	}
	seed, err = identity.LoadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		hint := "run wzp id new"
		if f.Identity != nil {
			hint += " with the same --identity"
		}
		err = fmt.Errorf("there is no identity at %s: %s", path, hint)
	}
	return path, seed, err
}

// loadOrCreate returns the identity, and the file that it was just saved in if there was none before.
func (f identityFlag) loadOrCreate() (seed identity.Seed, made string, err error) {
	path, err := f.path()
	if err != nil {
		return identity.Seed{}, "", err
	}
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		made = path
	}
	seed, err = identity.LoadOrCreate(path)
	return seed, made, err
}

// showWords is the command that prints the words of an identity that was just made.
func (f identityFlag) showWords(made string) string {
	if f.Identity == nil {
		return "wzp id show --words"
	}
	return "wzp id show --words --identity " + names.ShellQuote(made)
}

// identityMade says that there was no identity yet.
func identityMade(file, show string) string {
	return fmt.Sprintf("Made a new identity for you in %s. For the words that restore it: %s", file, show)
}

type idShowCmd struct {
	identityFlag
	JSON  bool   `help:"Print one JSON object."`
	Words bool   `help:"Print the 24 secret words, too."`
	Name  string `help:"What you call yourself: it is put into the contact link."`
	Page  string `placeholder:"HOST" help:"The page that the contact link leads to, as of wzp page --relay; without it, put the link behind the address of any page of wzp."`
}

func (c idShowCmd) Run() error {
	page := ""
	if c.Page != "" {
		base, err := parsePageURL("--page", c.Page)
		if err != nil {
			return err
		}
		page = base.JoinPath("/").String()
	}
	path, seed, err := c.load()
	if err != nil {
		return err
	}
	name, err := names.Member(c.Name)
	if err != nil {
		return usagef("--name: %w", err)
	}
	return printIdentity(path, seed, linkTo{page, name}, c.JSON, c.Words)
}

// idSave is what creating and restoring have in common.
type idSave struct {
	identityFlag
	JSON  bool `help:"Print one JSON object."`
	Force bool `help:"Replace an identity that exists: without its 24 words it is lost."`
}

// target returns the file to write, or an error when it exists and may not be replaced.
func (c idSave) target() (string, error) {
	path, err := c.path()
	if err != nil {
		return "", err
	}
	if _, err := os.Lstat(path); err == nil && !c.Force {
		return "", errIdentityExists(path)
	}
	return path, nil
}

func (c idSave) save(path string, seed identity.Seed) error {
	if c.Force {
		return identity.ReplaceFile(path, seed)
	}
	err := identity.SaveFile(path, seed)
	if errors.Is(err, fs.ErrExist) {
		return errIdentityExists(path) // made since target looked
	}
	return err
}

func errIdentityExists(path string) error {
	return fmt.Errorf("there is an identity at %s already: use --force to replace it, "+
		"which loses it unless you have its 24 words, or --identity for another file", path)
}

type idNewCmd struct{ idSave }

func (c idNewCmd) Run() error {
	path, err := c.target()
	if err != nil {
		return err
	}
	seed := identity.NewSeed()
	if err := c.save(path, seed); err != nil {
		return err
	}
	return printIdentity(path, seed, linkTo{}, c.JSON, true)
}

type idRestoreCmd struct {
	idSave
	Words []string `arg:"" optional:"" help:"The 24 words; better on standard input, for arguments are seen by others and kept in the shell's history."`
}

func (c idRestoreCmd) Run() error {
	path, err := c.target()
	if err != nil {
		return err
	}
	words := strings.Join(c.Words, " ")
	if len(c.Words) == 0 {
		if words, err = readWords(os.Stdin); err != nil {
			return err
		}
	}
	seed, err := identity.SeedFromMnemonic(words)
	if err != nil {
		if len(c.Words) > 0 {
			return usageError{err}
		}
		return err
	}
	if err := c.save(path, seed); err != nil {
		return err
	}
	return printIdentity(path, seed, linkTo{}, c.JSON, false)
}

// readWords reads a mnemonic: all of a file or pipe, but from a person only until there are 24 words.
func readWords(in *os.File) (string, error) {
	const count, limit = 24, 64 << 10
	interactive := term.IsTerminal(int(in.Fd()))
	if interactive {
		fmt.Fprintln(os.Stderr, "Type the 24 words, on one line or several:")
	}
	// Nothing is open or half written yet, so an interrupt may simply end the process; waiting for it
	// in main would not end the read below.
	signal.Reset(syscall.SIGINT, syscall.SIGTERM)

	var words strings.Builder
	lines := bufio.NewReader(io.LimitReader(in, limit))
	for {
		line, err := lines.ReadString('\n')
		words.WriteString(line)
		if errors.Is(err, io.EOF) || interactive && len(strings.Fields(words.String())) >= count {
			return strings.TrimPrefix(words.String(), "\ufeff"), nil // the mark of some editors
		}
		if err != nil {
			return "", fmt.Errorf("cannot read the words: %w", err)
		}
	}
}

// idReport is what all of "wzp id" print as JSON. The keys are hexadecimal.
type idReport struct {
	Fingerprint     identity.Fingerprint `json:"fingerprint"`
	PublicKey       identity.PublicKey   `json:"public_key"`
	X25519PublicKey string               `json:"x25519_public_key"`
	ContactLink     string               `json:"contact_link"`
	File            string               `json:"file"`
	Words           string               `json:"words,omitempty"`
}

// linkTo is what is in a contact link beside the key, both empty or not.
type linkTo struct{ page, name string }

// printIdentity prints the fingerprint, alone on the first line, the public keys, the contact link and, if
// asked, the secret words.
func printIdentity(path string, seed identity.Seed, to linkTo, asJSON, words bool) error {
	id := seed.Identity()
	link, err := identity.ContactLink(id.Public(), to.name)
	if err != nil {
		return err
	}
	r := idReport{
		Fingerprint:     id.Fingerprint(),
		PublicKey:       id.Public(),
		X25519PublicKey: hex.EncodeToString(id.X25519().PublicKey().Bytes()),
		ContactLink:     to.page + link,
		File:            path,
	}
	if words {
		r.Words = seed.Mnemonic()
	}
	if asJSON {
		return json.NewEncoder(os.Stdout).Encode(r)
	}
	out := fmt.Sprintf("%s\npublic key: %s\nx25519 public key: %s\ncontact link: %s\nfile: %s\n",
		r.Fingerprint, r.PublicKey, r.X25519PublicKey, r.ContactLink, r.File)
	if words {
		out += "\nWrite these 24 words down and keep them secret. They restore this identity when the file " +
			"is\nlost (wzp id restore), and whoever knows them can pose as you:\n\n" + wordLines(r.Words)
	}
	_, err = os.Stdout.WriteString(out)
	return err
}

// wordLines breaks a mnemonic into lines of six words.
func wordLines(mnemonic string) string {
	var lines strings.Builder
	for i, word := range strings.Fields(mnemonic) {
		sep := " "
		if i%6 == 5 {
			sep = "\n"
		}
		lines.WriteString(word + sep)
	}
	return lines.String()
}
