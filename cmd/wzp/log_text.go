package main

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"sync"
)

// textLog is the slog.Handler of the log for people: slog's own text, but what is made to be copied, which
// that would escape, follows on lines of its own. The heading is a comment of TOML, so that it may be copied,
// too.
//
//	time=... level=WARN msg="refused a relay that is not configured; ..." address=192.0.2.1:4433
//	# add:
//	[[peers]]
//	url = '192.0.2.1:4433'
type textLog struct {
	slog.Handler
	out *lockedWriter
}

// lockedWriter keeps a record together: slog's handler writes it at once, and what follows it comes after it.
type lockedWriter struct {
	record sync.Mutex // held for a record and what follows it
	io.Writer
}

// newJSONLog returns the handler of --log-json: slog's own, but that times have their unit, as in the log for
// people. slog would write nanoseconds, and not say so.
func newJSONLog(w io.Writer, options *slog.HandlerOptions) slog.Handler {
	with := *options
	with.ReplaceAttr = func(_ []string, a slog.Attr) slog.Attr {
		if a.Value.Kind() == slog.KindDuration {
			a.Value = slog.StringValue(a.Value.Duration().String())
		}
		return a
	}
	return slog.NewJSONHandler(w, &with)
}

func newTextLog(w io.Writer, options *slog.HandlerOptions) *textLog {
	out := &lockedWriter{Writer: w}
	return &textLog{slog.NewTextHandler(out, options), out}
}

// Handle implements slog.Handler.
func (t *textLog) Handle(ctx context.Context, r slog.Record) error {
	var below strings.Builder
	line := slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
	r.Attrs(func(a slog.Attr) bool {
		if block, ok := a.Value.Any().(logBlock); ok {
			below.WriteString("# " + a.Key + ":\n" + strings.TrimRight(block.LogBlock(), "\n") + "\n")
		} else {
			line.AddAttrs(a)
		}
		return true
	})
	t.out.record.Lock()
	defer t.out.record.Unlock()
	if err := t.Handler.Handle(ctx, line); err != nil || below.Len() == 0 {
		return err
	}
	_, err := io.WriteString(t.out, below.String())
	return err
}

// logBlock is the value of an attribute that is made to be copied, of several lines. What others put into a
// log is none, whatever is in it, for a newline of theirs must not make a line of the log.
type logBlock interface {
	LogBlock() string
}

// WithAttrs implements slog.Handler. Attributes of all records are not looked at: they stay on the line.
func (t *textLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &textLog{t.Handler.WithAttrs(attrs), t.out}
}

// WithGroup implements slog.Handler.
func (t *textLog) WithGroup(name string) slog.Handler {
	return &textLog{t.Handler.WithGroup(name), t.out}
}
