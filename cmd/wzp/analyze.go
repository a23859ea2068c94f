package main

import (
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

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/eventlog"
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
	analysis := eventlog.NewAnalysis(eventlog.AnalysisOptions{Late: c.Late, Grace: c.Grace})
	for _, log := range logs {
		if err := analysis.AddLog(log); err != nil {
			return readError(err)
		}
	}
	report := analysis.Report()
	if c.JSON {
		return printReportJSON(os.Stdout, report)
	}
	return reportTable{report}.print(os.Stdout)
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
	out := json.NewEncoder(w)
	for _, l := range r.Logs {
		if err := out.Encode(struct {
			Event string `json:"event"`
			eventlog.LogReport
		}{"log", l}); err != nil {
			return err
		}
	}
	for _, h := range r.Hops {
		if err := out.Encode(struct {
			Event string `json:"event"`
			eventlog.Hop
		}{"hop", h}); err != nil {
			return err
		}
	}
	for _, d := range r.Deliveries {
		if err := out.Encode(struct {
			Event string `json:"event"`
			eventlog.Delivery
		}{"delivery", d}); err != nil {
			return err
		}
	}
	for _, l := range r.Links {
		if err := out.Encode(struct {
			Event string `json:"event"`
			eventlog.Link
			First string `json:"first"`
			Last  string `json:"last"`
		}{"link", l, micros(l.First), micros(l.Last)}); err != nil {
			return err
		}
	}
	for _, d := range r.Drops {
		if err := out.Encode(struct {
			Event string `json:"event"`
			eventlog.Drop
		}{"drop", d}); err != nil {
			return err
		}
	}
	return out.Encode(struct {
		Event string `json:"event"`
		eventlog.Verdict
	}{"summary", r.Verdict})
}

// micros is a time in a report as logs write it.
func micros(at int64) string { return time.UnixMicro(at).UTC().Format("2006-01-02T15:04:05.000000Z") }

// reportTable is a report for people. Names in it are what others wrote into logs, so they are escaped.
type reportTable struct{ *eventlog.Report }

func (r reportTable) print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	r.logs(t)
	r.hops(t)
	r.deliveries(t)
	r.links(t)
	r.drops(t)
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w, r.sentence())
	return err
}

// row prints cells in columns.
func row(w io.Writer, cells ...any) {
	text := make([]string, len(cells))
	for i, cell := range cells {
		text[i] = identity.EscapeHidden(fmt.Sprint(cell))
	}
	fmt.Fprintln(w, strings.Join(text, "\t"))
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

func (r reportTable) logs(w io.Writer) {
	row(w, "LOG", "OF", "EVENTS", "MALFORMED", "MISSING")
	for _, l := range r.Logs {
		names := make([]string, len(l.Who))
		for i, p := range l.Who {
			names[i] = who(p)
		}
		row(w, l.Path, strings.Join(names, ", "), l.Events, l.Malformed, l.Dropped)
	}
	fmt.Fprintln(w)
	for _, l := range r.Logs {
		for _, bad := range l.Errors {
			row(w, "Malformed: "+bad)
		}
		if more := l.Malformed - len(l.Errors); more > 0 {
			row(w, fmt.Sprintf("Malformed: %d more lines of %s", more, l.Path))
		}
		if l.Unattributed > 0 {
			row(w, fmt.Sprintf("%s: %d events stand before any start line and are left out, for nobody knows whose they are", l.Path, l.Unattributed))
		}
	}
}

func (r reportTable) hops(w io.Writer) {
	if len(r.Hops) == 0 {
		return
	}
	row(w, "ROOM", "TALKER", "STREAM", "EPOCH", "FROM", "TO", "SENT", "ARRIVED", "LOST", "DUPLICATED", "LATE")
	for _, h := range r.Hops {
		row(w, h.Room, who(h.Talker), h.Stream, h.Epoch, who(h.From), who(h.To), h.Sent, h.Arrived, h.Lost, h.Duplicated, h.Late)
	}
	fmt.Fprintln(w)
}

func (r reportTable) deliveries(w io.Writer) {
	if len(r.Deliveries) == 0 {
		return
	}
	row(w, "ROOM", "TALKER", "STREAM", "LISTENER", "SENT", "EXPECTED", "DELIVERED", "LOST", "DUPLICATED", "LATE", "WHERE LOST")
	for _, d := range r.Deliveries {
		places := make([]string, len(d.Where))
		for i, p := range d.Where {
			places[i] = place(p)
		}
		row(w, d.Room, who(d.Talker), d.Stream, who(d.Listener), d.Sent, d.Expected, d.Delivered, d.Lost, d.Duplicated, d.Late,
			strings.Join(places, ", "))
	}
	fmt.Fprintln(w)
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

func (r reportTable) links(w io.Writer) {
	if len(r.Links) == 0 {
		return
	}
	row(w, "LINK FROM", "TO", "PACKETS", "TWICE", "FIRST", "LAST")
	for _, l := range r.Links {
		row(w, who(l.From), who(l.To), l.Packets, l.Twice, micros(l.First), micros(l.Last))
	}
	fmt.Fprintln(w)
}

func (r reportTable) drops(w io.Writer) {
	if len(r.Drops) == 0 {
		return
	}
	row(w, "DROPPED BY", "WHAT", "PEER", "COUNT", "REASON")
	for _, d := range r.Drops {
		peer := ""
		if d.Peer != nil {
			peer = who(*d.Peer)
		}
		row(w, who(d.Relay), d.Kind, peer, d.Count, d.Reason)
	}
	fmt.Fprintln(w)
}

// sentence is the verdict for people.
func (r reportTable) sentence() string {
	v := r.Verdict
	if v.ExactlyOnce {
		return fmt.Sprintf("Exactly once: each of %d expected packets was delivered once, and none crossed a link twice.", v.Expected)
	}
	text := fmt.Sprintf("Not exactly once: of %d expected packets %d were delivered, %d lost, %d delivered again; %d crossed a link twice.",
		v.Expected, v.Delivered, v.Lost, v.Duplicated, v.Twice)
	if v.Expected == 0 {
		text = "Nothing was expected: give the logs of talkers and of listeners who were in the room with them."
	}
	if v.Missing > 0 || v.Malformed > 0 {
		text += fmt.Sprintf(" The logs have holes: %d events are missing, %d lines malformed, so some of this may not be so.", v.Missing, v.Malformed)
	}
	return text
}
