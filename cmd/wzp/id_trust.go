package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/names"
)

// knownNamesFlag is for every command that knows people by name.
type knownNamesFlag struct {
	KnownNames *string `type:"home" placeholder:"FILE" help:"Where it is kept, in keyed hashes, who goes by which name (default: wzp/known_names in your configuration directory)."`
}

// open opens the known names of id.
func (f knownNamesFlag) open(id *identity.Identity) (*identity.KnownNames, error) {
	path, err := fileOr(f.KnownNames, "--known-names", identity.DefaultKnownNamesFile)
	if err != nil {
		return nil, err
	}
	return identity.OpenKnownNames(path, id)
}

// fileOr is the file that a flag names, or else the usual one. A pointer tells an empty value, such as an
// unset shell variable, from no flag: it must not mean somebody's own file by accident.
func fileOr(given *string, flag string, usual func() (string, error)) (string, error) {
	switch {
	case given == nil:
		return usual()
	case *given == "":
		return "", usagef("%s is empty: give the name of a file", flag)
	}
	return *given, nil
}

// relayKeyFlags say by which key a relay is known.
type relayKeyFlags struct {
	RelayKey    string `placeholder:"FINGERPRINT" help:"The relay's; without it, that of the first visit is kept and expected."`
	KnownRelays string `type:"home" placeholder:"FILE" help:"Where relays' keys are kept."`
}

// open returns the fingerprint that was given, or the known relays.
func (f relayKeyFlags) open() (wanted identity.Fingerprint, known *identity.KnownRelays, err error) {
	if f.RelayKey != "" {
		if wanted, err = identity.ParseFingerprint(f.RelayKey); err != nil {
			err = usagef("--relay-key: %w", err)
		}
		return wanted, nil, err
	}
	if f.KnownRelays == "" {
		f.KnownRelays, err = identity.DefaultKnownRelaysFile()
	}
	if err == nil {
		known, err = identity.OpenKnownRelays(f.KnownRelays)
	}
	return wanted, known, err
}

type idTrustCmd struct {
	Name        string `arg:"" help:"What they call themselves."`
	Fingerprint string `arg:"" help:"Theirs; ask them for it by another way than the room."`
	Only        bool   `help:"Forget the fingerprints that this name had before."`
	JSON        bool   `help:"Print one JSON object."`
	knownNamesFlag
	identityFlag
}

func (c idTrustCmd) Run() error {
	fingerprint, err := identity.ParseFingerprint(c.Fingerprint)
	if err != nil {
		return usageError{err}
	}
	if _, err := nameOfSomebody(c.Name); err != nil {
		return err
	}
	_, seed, err := c.identityFlag.load()
	if err != nil {
		return err
	}
	known, err := c.knownNamesFlag.open(seed.Identity())
	if err != nil {
		return err
	}
	trust := known.Trust
	if c.Only {
		trust = known.TrustOnly
	}
	if err := trust(c.Name, fingerprint); err != nil {
		return err
	}
	if c.JSON {
		answer := map[string]any{"name": c.Name, "fingerprint": fingerprint, "only": c.Only}
		return json.NewEncoder(os.Stdout).Encode(answer)
	}
	also := "may have"
	if c.Only {
		also = "has only"
	}
	_, err = fmt.Printf("%s %s the fingerprint %s.\n", names.Quote(c.Name), also, fingerprint)
	return err
}

// shellName is names.ShellQuote for a name that somebody else chose: with what cannot be seen spelled in
// octal, which printf of any POSIX shell reads, so that people see whom they trust.
func shellName(name string) string {
	if names.EscapeHidden(name) == name {
		return names.ShellQuote(name)
	}
	var format strings.Builder
	for i, r := range name {
		text := string(r)
		switch {
		case r == '%': // some shells read octal before they look for these two
			format.WriteString("%%")
		case r == '\\':
			format.WriteString(`\\`)
		case i == 0 && r == '-' || strings.ContainsRune("'\"!`$", r) || names.EscapeHidden(text) != text:
			for _, b := range []byte(text) {
				fmt.Fprintf(&format, `\%03o`, b)
			}
		default:
			format.WriteString(text)
		}
	}
	return `"$(printf '` + format.String() + `')"`
}
