package link

import "github.com/quic-go/quic-go/qlogwriter"

// watch is a trace of a QUIC connection whose events it is called with. Some of what QUIC knows the library
// tells in its trace alone.
type watch func(event qlogwriter.Event)

// AddProducer implements qlogwriter.Trace.
func (w watch) AddProducer() qlogwriter.Recorder { return w }

// SupportsSchemas implements qlogwriter.Trace: HTTP/3 need not trace, too.
func (w watch) SupportsSchemas(string) bool { return false }

// RecordEvent implements qlogwriter.Recorder.
func (w watch) RecordEvent(event qlogwriter.Event) { w(event) }

// Close implements qlogwriter.Recorder.
func (w watch) Close() error { return nil }
