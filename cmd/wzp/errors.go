package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/wzp-voice/wzp/internal/names"
	"github.com/wzp-voice/wzp/internal/relay"
)

// usageError marks an error as wrong usage of the command line: exit status 2.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// usagef is fmt.Errorf for wrong usage.
func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// fail prints err as one line and returns the exit status that it stands for.
func fail(err error) int {
	fmt.Fprintln(os.Stderr, "wzp: "+oneLine(err))
	if errors.As(err, new(usageError)) {
		return 2
	}
	return 1
}

// inviteSecret finds what may be an invite secret, whole or cut.
var inviteSecret = regexp.MustCompile(`wzp-[0-9A-Za-z_-]{32,}`)

// maxLine is as much of an error as anybody reads.
const maxLine = 2000

// oneLine is the text of err on one line, and without invite secrets: kong repeats arguments that it did not
// expect, and error messages end up in logs and bug reports.
func oneLine(err error) string {
	return inviteSecret.ReplaceAllString(forTerminal(strings.ReplaceAll(err.Error(), "\n", " ")), "wzp-...")
}

// forTerminal is text for people that may hold what somebody else wrote: the reason of a QUIC close, an HTTP
// status, names in a certificate, those of members and devices. A terminal would obey some of it, so whatever
// cannot be seen is escaped, and no more than maxLine bytes are shown. All that commands print as words goes
// through it, here and in joinOutput; logs escape by themselves.
func forTerminal(text string) string {
	if len(text) > maxLine {
		text = strings.ToValidUTF8(text[:maxLine], "") + "..."
	}
	return names.EscapeHidden(text)
}

// parseError says what kong found wrong in the command line.
func parseError(err error) error {
	m := noValue.FindStringSubmatch(err.Error())
	switch {
	case strings.Contains(err.Error(), whomToCall):
		return usagef("whom to call is missing: the name of a contact (wzp contacts list), a fingerprint " +
			"or a contact link")
	case m == nil:
		return usageError{err}
	case m[2] != "" && !strings.HasPrefix(m[2], "--"):
		return usagef("%s needs a value; if that is %s, write %[1]s=%[2]s", m[1], m[2])
	}
	return usagef("%s needs a value", m[1])
}

// noValue is what kong says where a flag ends the line or another follows it, and of values that begin with a
// hyphen.
var noValue = regexp.MustCompile(`^(--[\w-]+): expected \w+ value but got "(?:EOL|([^"]*))" \(`)

// givenFlags are the names of the flags of the command line, without those that have their default.
type givenFlags map[string]bool

// findGiven finds them. It refuses flags that were given more than once and have one value: kong takes the
// last one, and whoever wrote two of them meant both, or does not know of the first.
func findGiven(k *kong.Context) (givenFlags, error) {
	given := make(givenFlags)
	for _, at := range k.Path {
		f := at.Flag
		if f == nil || at.Resolved {
			continue
		}
		if given[f.Name] && !f.IsCumulative() && !f.IsCounter() {
			return nil, usagef("--%s is given more than once: give it once", f.Name)
		}
		given[f.Name] = true
	}
	return given, nil
}

// fileError says what is wrong with the file or directory that a flag names.
func fileError(what, path string, err error) error {
	if at := (*fs.PathError)(nil); errors.As(err, &at) {
		return fmt.Errorf("cannot %s %s: %w", what, path, at.Err)
	}
	return fmt.Errorf("cannot %s %s: %s", what, path, strings.TrimPrefix(err.Error(), path+": "))
}

// plainMappers read flags whose errors would otherwise be those of the library that reads them.
func plainMappers() []kong.Option {
	return []kong.Option{
		kong.Vars(relay.Help),
		kong.KindMapper(reflect.String, kong.MapperFunc(textMapper)),
		kong.KindMapper(reflect.Int, mapper(strconv.Atoi, "a whole number")),
		kong.KindMapper(reflect.Float64, mapper(parseFloat, "a number")),
		kong.NamedMapper("home", kong.MapperFunc(pathMapper)),
		kong.TypeMapper(reflect.TypeFor[time.Duration](),
			mapper(time.ParseDuration, "a time such as 500ms, 10s or 1h30m")),
		kong.TypeMapper(reflect.TypeFor[slog.Level](), mapper(parseLevel, "debug, info, warn or error")),
	}
}

func parseFloat(text string) (float64, error) { return strconv.ParseFloat(text, 64) }

func parseLevel(text string) (level slog.Level, err error) {
	return level, level.UnmarshalText([]byte(text))
}

// popText returns the value of a flag or argument as it was given. Kong's own way goes through JSON, which
// turns what is not UTF-8 into U+FFFD: the name of another room, or of a file that is not there.
func popText(ctx *kong.DecodeContext) (string, error) {
	token, err := ctx.Scan.PopValue("string")
	if err != nil {
		return "", err
	}
	if text, ok := token.Value.(string); ok {
		return text, nil
	}
	return "", fmt.Errorf("want a text, not %v", token.Value)
}

func textMapper(ctx *kong.DecodeContext, target reflect.Value) error {
	text, err := popText(ctx)
	if err == nil {
		target.SetString(text)
	}
	return err
}

// mapper reads a flag with parse; what that takes is said in want.
func mapper[T any](parse func(string) (T, error), want string) kong.MapperFunc {
	return func(ctx *kong.DecodeContext, target reflect.Value) error {
		text, err := popText(ctx)
		if err != nil {
			return err
		}
		v, err := parse(text)
		if err != nil {
			return fmt.Errorf("want %s, not %q", want, text)
		}
		target.Set(reflect.ValueOf(v))
		return nil
	}
}
