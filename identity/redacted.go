package identity

import (
	"fmt"
	"io"
	"log/slog"
)

// hidden is a secret behind a function. The methods of redacted serve whoever calls them, but fmt calls
// none on an unexported field of somebody else's struct: it walks into it, and for verbs such as %s through
// pointers too. Of a function it, like every other printer, shows an address at most.
type hidden[T any] func() T

func hide[T any](secret T) hidden[T] { return func() T { return secret } }

// redacted, embedded in a type, keeps it out of everything that is printed, logged or serialised.
type redacted struct{}

const redactedText = "[redacted]"

// String returns "[redacted]".
func (redacted) String() string { return redactedText }

// Format prints "[redacted]", whatever the verb.
func (redacted) Format(f fmt.State, _ rune) { io.WriteString(f, redactedText) }

// LogValue is "[redacted]" in logs.
func (redacted) LogValue() slog.Value { return slog.StringValue(redactedText) }

// MarshalText returns "[redacted]", also for encoding/json.
func (redacted) MarshalText() ([]byte, error) { return []byte(redactedText), nil }
