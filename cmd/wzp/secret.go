package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"

	"golang.org/x/term"

	"github.com/wzp-voice/wzp"
	"github.com/wzp-voice/wzp/internal/names"
)

// secretCmd makes invite secrets.
type secretCmd struct {
	New secretNewCmd `cmd:"" help:"Print a new invite secret."`
}

type secretNewCmd struct{}

func (secretNewCmd) Run() error {
	if _, err := fmt.Println(wzp.NewSecret().Text()); err != nil {
		return err
	}
	if term.IsTerminal(int(os.Stderr.Fd())) {
		fmt.Fprintln(os.Stderr, "Give it to those who may join, by a way that you trust and not by the "+
			"relay. They join with "+
			"--secret-file, or with "+envSecret+" set. Who has it can hear; a new secret is a new invite.")
	}
	return nil
}

// envSecret is the environment variable for an invite secret.
const envSecret = "WZP_SECRET"

// maxSecretFile bounds a file with an invite secret.
const maxSecretFile = 4096

// secretFlags are the ways to give an invite secret. Pointers tell an empty value, such as an unset shell
// variable, from no flag: somebody who meant to give a secret must not join without one.
type secretFlags struct {
	Secret     *string `placeholder:"SECRET" help:"The room's invite secret, made by wzp secret new: who lacks it is outside and hears nothing. Other users of the machine see arguments; WZP_SECRET and --secret-file are better."`
	SecretFile *string `type:"home" placeholder:"FILE" help:"File with the invite secret, which only its owner may read."`
}

// secret returns the invite secret, nil if none is given. No error shows anything of it.
func (f secretFlags) secret() (*wzp.Secret, error) {
	var from, text string
	given := 0
	if f.Secret != nil {
		from, text, given = "--secret", *f.Secret, given+1
	}
	if env, set := os.LookupEnv(envSecret); set {
		from, text, given = envSecret, env, given+1
	}
	if f.SecretFile != nil {
		from, given = "--secret-file", given+1
	}
	switch {
	case given == 0:
		return nil, nil
	case given > 1:
		return nil, usagef("give the invite secret once: --secret, --secret-file or %s", envSecret)
	case f.SecretFile != nil:
		if *f.SecretFile == "" {
			return nil, usagef("--secret-file is empty: give the name of a file")
		}
		var err error
		if text, err = readSecret(*f.SecretFile); err != nil {
			return nil, err
		}
		from += " " + *f.SecretFile
	case text == "":
		return nil, usagef("%s is empty: give the invite secret, or unset it to join without one", from)
	}
	secret, err := wzp.ParseSecret(strings.TrimSpace(text))
	if err != nil {
		return nil, usagef("%s: %w", from, err)
	}
	return secret, nil
}

// readSecret reads a file with an invite secret. As identity.LoadFile and ssh do, it refuses one that other
// users may read or write, except on Windows, where the mode says nothing, and for pipes, which have no other
// readers.
func readSecret(path string) (string, error) {
	b, mode, err := readSmall(path, maxSecretFile)
	if mode.IsRegular() && mode.Perm()&0o077 != 0 && runtime.GOOS != "windows" {
		return "", fmt.Errorf("--secret-file is open to other users (mode %04o): run chmod 600 %s",
			mode.Perm(), names.ShellQuote(path))
	}
	if len(b) > maxSecretFile {
		return "", usagef("--secret-file %s is larger than %d bytes: it holds an invite secret and nothing "+
			"else", path, maxSecretFile)
	}
	if err != nil {
		return "", fileError("read --secret-file", path, err)
	}
	text, err := plainText(b)
	if err != nil {
		return "", usagef("--secret-file %s: %w", path, err)
	}
	return string(text), nil
}
