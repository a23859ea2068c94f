package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/wzp-voice/wzp/internal/eventlog"
	"github.com/wzp-voice/wzp/internal/names"
)

// analyzeCmd joins event logs and says what became of each packet.
type analyzeCmd struct {
	Files []string      `arg:"" name:"file" help:"Event logs of relays and clients; what was rotated away from them (FILE.1, ...) is read with them."`
	Late  time.Duration `default:"100ms" placeholder:"DURATION" help:"A packet is late that takes this much longer than the fastest of its stream."`
	Grace time.Duration `default:"1s" placeholder:"DURATION" help:"What is sent this long before a listener leaves may not reach it."`
	JSON  bool          `name:"json" help:"Print one JSON object a line; the last is the summary."`
}

func (c *analyzeCmd) Run() error {
	if c.Late <= 0 || c.Grace <= 0 {
		return usagef("--late and --grace must be more than 0")
	}
	logs, err := eventlog.Find(c.Files)
	if err != nil {
		return readError(err)
	}
	analysis := eventlog.NewAnalysis(c.Late, c.Grace)
	for _, events := range logs {
		if err := analysis.AddLog(events); err != nil {
			return readError(err)
		}
	}
	if c.JSON {
		return printReportJSON(os.Stdout, analysis.Report())
	}
	return printReport(os.Stdout, analysis.Report())
}

// readError says which file cannot be read.
func readError(err error) error {
	if at := (*fs.PathError)(nil); errors.As(err, &at) {
		return fileError("read", at.Path, err)
	}
	return err
}

// printReportJSON prints one object a line, each with the event that says what it is.
func printReportJSON(w io.Writer, r *eventlog.Report) error {
	return cmp.Or(
		printEvents(w, "log", r.Logs), printEvents(w, "hop", r.Hops),
		printEvents(w, "delivery", r.Deliveries), printEvents(w, "link", r.Links),
		printEvents(w, "drop", r.Drops), printEvents(w, "call", r.Calls), printEvent(w, "summary", r.Verdict),
	)
}

func printEvents[T any](w io.Writer, event string, list []T) error {
	for _, v := range list {
		if err := printEvent(w, event, v); err != nil {
			return err
		}
	}
	return nil
}

// printEvent prints a struct as one line of JSON, in which the event comes first.
func printEvent(w io.Writer, event string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	head := fmt.Sprintf(`{"event":%q`, event)
	if string(b) != "{}" {
		head += ","
	}
	_, err = fmt.Fprintf(w, "%s%s\n", head, b[1:])
	return err
}

// printReport prints a report for people.
func printReport(w io.Writer, r *eventlog.Report) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	printTable(t, "LOG OF EVENTS MALFORMED MISSING", r.Logs, func(l eventlog.LogReport) []any {
		return []any{l.Path, joined(", ", l.Who, who), l.Events, l.Malformed, l.Dropped}
	})
	for _, l := range r.Logs {
		printLogErrors(t, l)
	}
	hops := "ROOM TALKER STREAM EPOCH FROM TO SENT ARRIVED LOST DUPLICATED LATE"
	printTable(t, hops, r.Hops, func(h eventlog.Hop) []any {
		return []any{
			h.Room, who(h.Talker), h.Stream, h.Epoch, who(h.From), who(h.To),
			h.Sent, h.Arrived, h.Lost, h.Duplicated, h.Late,
		}
	})
	deliveries := "ROOM TALKER STREAM LISTENER SENT EXPECTED DELIVERED LOST DUPLICATED LATE WHERE_LOST"
	printTable(t, deliveries, r.Deliveries, func(d eventlog.Delivery) []any {
		return []any{
			d.Room, who(d.Talker), d.Stream, who(d.Listener), d.Sent, d.Expected, d.Delivered,
			d.Lost, d.Duplicated, d.Late, joined(", ", d.Where, place),
		}
	})
	printTable(t, "LINK_FROM TO PACKETS TWICE FIRST LAST", r.Links, func(l eventlog.Link) []any {
		return []any{who(l.From), who(l.To), l.Packets, l.Twice, l.First, l.Last}
	})
	printTable(t, "DROPPED_BY WHAT PEER COUNT REASON", r.Drops, func(d eventlog.Drop) []any {
		peer := ""
		if d.Peer != nil {
			peer = who(*d.Peer)
		}
		return []any{who(d.Relay), d.Kind, peer, d.Count, d.Reason}
	})
	printTable(t, "CALL GENERATION BY SET_UP_MS ENDED REASON REFUSALS", r.Calls, func(c eventlog.Call) []any {
		ended := ""
		if c.Ended != 0 {
			ended = c.Ended.String()
		}
		return []any{c.Path, c.Generation, joined(" -> ", c.Relays, who), c.SetUpMS, ended, c.Reason,
			joined(", ", c.Refusals, refusal)}
	})
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w, verdictText(r.Verdict))
	return err
}

// printTable prints a row for each element of a list, if there is one, under a heading.
func printTable[T any](w io.Writer, heading string, list []T, cells func(T) []any) {
	if len(list) == 0 {
		return
	}
	fmt.Fprintln(w, strings.NewReplacer(" ", "\t", "_", " ").Replace(heading))
	for _, v := range list {
		printRow(w, cells(v)...)
	}
	fmt.Fprintln(w)
}

// printRow prints cells in columns. Names in them are what others wrote into logs, so they are escaped.
func printRow(w io.Writer, cells ...any) {
	escaped := func(cell any) string { return names.EscapeHidden(fmt.Sprint(cell)) }
	fmt.Fprintln(w, joined("\t", cells, escaped))
}

// joined is the texts of a list's elements, with something between them.
func joined[T any](between string, list []T, text func(T) string) string {
	texts := make([]string, len(list))
	for i, v := range list {
		texts[i] = text(v)
	}
	return strings.Join(texts, between)
}

// who is a relay or member for people: its name, and as much of its id as tells it from others of that name.
func who(p eventlog.Party) string {
	short := p.ID
	if strings.Contains(short, ":") {
		short = short[:min(len(short), 9)] // a relay's has twice as many digits
	}
	if p.Name == "" {
		return short
	}
	return p.Name + " (" + short + ")"
}

// place is where packets were lost, for people.
func place(p eventlog.Place) string {
	text := who(p.From) + " -> " + who(p.To)
	if p.From == p.To {
		text = "in " + who(p.From)
	}
	if p.Reason != "" {
		text += ", " + p.Reason
	}
	return text + ": " + strconv.Itoa(p.Count)
}

// refusal is who refused whom a path of a call, for people.
func refusal(p eventlog.Place) string {
	to := "a client"
	if p.To != (eventlog.Party{}) {
		to = who(p.To)
	}
	return who(p.From) + " refused " + to + ", " + p.Reason + ": " + strconv.Itoa(p.Count)
}

// printLogErrors says what of a log could not be used.
func printLogErrors(w io.Writer, l eventlog.LogReport) {
	for _, bad := range l.Errors {
		printRow(w, "Malformed: "+bad)
	}
	if more := l.Malformed - len(l.Errors); more > 0 {
		printRow(w, fmt.Sprintf("Malformed: %d more lines of %s", more, l.Path))
	}
	if l.Unattributed > 0 {
		printRow(w, fmt.Sprintf("%s: %d events stand before any start line and are left out, "+
			"for nobody knows whose they are", l.Path, l.Unattributed))
	}
}

// verdictText is the verdict for people.
func verdictText(v eventlog.Verdict) string {
	if v.ExactlyOnce {
		return fmt.Sprintf("Exactly once: each of %d expected packets was delivered once, "+
			"and none crossed a link twice.", v.Expected)
	}
	text := fmt.Sprintf("Not exactly once: of %d expected packets %d were delivered, %d lost, "+
		"%d delivered again; %d crossed a link twice.",
		v.Expected, v.Delivered, v.Lost, v.Duplicated, v.Twice)
	if v.Expected == 0 {
		text = "Nothing was expected: " +
			"give the logs of talkers and of listeners who were in the room with them."
	}
	if v.Missing > 0 || v.Malformed > 0 {
		text += fmt.Sprintf(" The logs have holes: %d events are missing, %d lines malformed, "+
			"so some of this may not be so.", v.Missing, v.Malformed)
	}
	return text
}
