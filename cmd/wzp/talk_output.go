package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/wzp-voice/wzp"
	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/names"
)

// joinOutput prints what happens in a room, for people or as JSON.
type joinOutput struct {
	w      io.Writer  // standard output, unless that is for sound
	gone   chan error // one: nobody reads w any more
	json   bool
	relay  string
	secret bool // the room is joined with an invite secret
	call   bool // the room is a call's: who is there has been said
	trust  func(name string, f identity.Fingerprint) (command string)

	contacts *contactsMet // nil: none

	terminal atomic.Pointer[rawTerminal] // nil: lines need no carriage returns
	close    func() error                // the client; set before anything of the room runs

	mu sync.Mutex // held for a line
}

// rescueTime is how long a program that crashes takes to leave the room.
const rescueTime = 2 * time.Second

// line is one JSON object; absent fields are left out.
type line struct {
	Event       string `json:"event"`
	Time        string `json:"ts"`
	Room        string `json:"room,omitempty"`
	Relay       string `json:"relay,omitempty"`
	Member      string `json:"member,omitempty"`
	Name        string `json:"name,omitempty"`
	Fingerprint string `json:"fingerprint,omitempty"`
	Outside     bool   `json:"outside,omitempty"`
	Secret      bool   `json:"secret,omitempty"`
	Stream      *int   `json:"stream,omitempty"`
	Number      string `json:"number,omitempty"`
	File        string `json:"file,omitempty"`
	Code        string `json:"code,omitempty"`
	Text        string `json:"text,omitempty"`
	Cause       string `json:"cause,omitempty"`
	Device      string `json:"device,omitempty"`
	Lost        *bool  `json:"lost,omitempty"`
	Restarted   *bool  `json:"restarted,omitempty"`
	Microphone  string `json:"microphone,omitempty"`
	Talking     *bool  `json:"talking,omitempty"`
	Raised      *bool  `json:"raised,omitempty"`
	Over        bool   `json:"over,omitempty"`
	Dropped     uint64 `json:"frames_dropped,omitempty"`
	Sent        uint64 `json:"frames_sent,omitempty"`
	callFields
	*summary
	human string
}

// summary is the last line.
type summary struct {
	PacketsSent       uint64   `json:"packets_sent"`
	PayloadBytesSent  uint64   `json:"payload_bytes_sent"`
	WireBytesSent     uint64   `json:"wire_bytes_sent"`
	WireBytesReceived uint64   `json:"wire_bytes_received"`
	RTT               float64  `json:"rtt_ms"`
	UplinkLoss        float64  `json:"uplink_loss"`
	SentFrom          string   `json:"sent_from,omitempty"`   // when the first sample was captured
	PlayedFrom        string   `json:"played_from,omitempty"` // when the first sample was played
	Talkers           []talker `json:"talkers"`
	calls             int      // that were up
}

// talker is one stream that was heard.
type talker struct {
	Member      string  `json:"member"`
	Name        string  `json:"name"`
	Fingerprint string  `json:"fingerprint"`
	Stream      int     `json:"stream"`
	Received    uint64  `json:"packets_received"`
	Lost        uint64  `json:"packets_lost"`
	Recovered   uint64  `json:"packets_recovered"`
	Late        uint64  `json:"packets_late"`
	Concealed   uint64  `json:"frames_concealed"`
	Forged      uint64  `json:"packets_forged"`
	Jitter      float64 `json:"jitter_ms"`
	Delay       float64 `json:"delay_ms"`
}

// print writes one line, of JSON or of words for people.
func (o *joinOutput) print(l line) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.json {
		if l.human != "" {
			end := "\n"
			if o.terminal.Load() != nil {
				end = "\r\n"
			}
			o.written(io.WriteString(o.w, forTerminal(l.human)+end))
		}
		return
	}
	if l.Time == "" {
		l.Time = stamp(time.Now())
	}
	b, err := json.Marshal(l)
	if err != nil {
		panic(err) // numbers and strings only
	}
	o.written(o.w.Write(append(b, '\n')))
}

// restoreTerminal ends raw mode. When it returns the terminal is as it was, whoever does that.
func (o *joinOutput) restoreTerminal() {
	o.terminal.Load().restore()
	o.terminal.Store(nil)
}

// rescue is deferred by every goroutine of a call: one that panics gives the terminal back and leaves before
// the program crashes, for others would see us for another minute, and who sits here would see nothing of
// what is typed.
func (o *joinOutput) rescue() {
	p := recover()
	if p == nil {
		return
	}
	o.restoreTerminal()
	left := make(chan struct{})
	go func() { // it may wait for a lock that is held for good now
		defer close(left)
		_ = o.close() // the panic is what counts
	}()
	select {
	case <-left:
	case <-time.After(rescueTime):
	}
	panic(p)
}

// written notes that nobody reads what we print: the program at the other end of the pipe has ended, or the
// terminal was closed. The call is over then, for whoever started it has gone.
func (o *joinOutput) written(_ int, err error) {
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.EIO) {
		select {
		case o.gone <- errors.New("nobody reads standard output any more"):
		default:
		}
	}
}

// stamp is a time in microseconds, UTC.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }

// identityMade says that there was no identity yet; show is the command that prints the words of the new one.
func (o *joinOutput) identityMade(file, show string, f identity.Fingerprint) {
	o.print(line{Event: "identity_made", File: file, Fingerprint: f.String(),
		human: identityMade(file, show)})
}

func (o *joinOutput) joined(room *wzp.Room, f identity.Fingerprint) {
	with := ""
	if o.secret {
		with = ", with an invite secret"
	}
	o.print(line{
		Event: "joined", Room: room.Name(), Relay: o.relay, Member: room.ID().String(),
		Fingerprint: f.String(), Secret: o.secret,
		human: fmt.Sprintf("You are in %q on %s%s. Your fingerprint is %s.", room.Name(), o.relay, with, f),
	})
}

// follow prints events until the room is over, and returns why it is.
func (o *joinOutput) follow(events iter.Seq[wzp.Event], members func() []wzp.Member) error {
	var ended error
	met := false // the people who are here have been told of
	for e := range events {
		switch e := e.(type) {
		case wzp.MemberJoined:
			if o.contacts != nil && !e.Member.Outside {
				o.contacts.meet(e.Member.Identity)
			}
			o.member("member_joined", e.Member, "is here")
		case wzp.MemberLeft:
			o.member("member_left", e.Member, "has left")
		case wzp.StreamStarted:
			m, n := e.Stream.Member(), e.Stream.Number()
			o.print(line{Event: "talker", Member: m.ID.String(), Name: m.Name, Stream: &n})
		case wzp.MicrophoneChanged:
			l := memberLine("microphone", e.Member)
			l.Microphone = e.State
			o.print(l)
		case wzp.HandChanged:
			o.hand(e)
		case wzp.Detached:
			o.print(line{Event: "detached", Cause: e.Cause, human: "Reconnecting: " + e.Cause + "."})
		case wzp.Attached:
			o.print(line{Event: "attached", Restarted: &e.Restarted, human: "Connected again."})
		case wzp.SafetyNumber:
			o.safetyNumber(members(), met, e.Number)
			met = true
		case wzp.Warning:
			o.warning(e)
		case wzp.MediaDropped:
			o.mediaDropped(e)
		case wzp.Ended:
			ended = e.Err
		}
	}
	return ended
}

func (o *joinOutput) member(event string, m wzp.Member, what string) {
	l := memberLine(event, m)
	if m.Relay != "" {
		what += " on " + names.Quote(m.Relay)
	}
	if !o.call {
		l.human = fmt.Sprintf("%s %s (%s)%s.", shownName(m.Name), what, l.Fingerprint, o.outside(m))
	}
	o.print(l)
}

// memberLine is a line about a member, of which no more than the id may be known.
func memberLine(event string, m wzp.Member) line {
	l := line{Event: event, Name: m.Name, Outside: m.Outside, Relay: m.Relay}
	if m.ID != (wzp.MemberID{}) {
		l.Member = m.ID.String()
	}
	if m.Identity != (identity.PublicKey{}) {
		l.Fingerprint = m.Identity.Fingerprint().String()
	}
	return l
}

// outside marks members who have another invite secret than we have.
func (o *joinOutput) outside(m wzp.Member) string {
	switch {
	case !m.Outside:
		return ""
	case o.secret:
		return " (outside: without your invite secret)"
	default:
		return " (outside: with an invite secret, and you have none)"
	}
}

// safetyNumber prints a new safety number. People see none that covers only themselves.
func (o *joinOutput) safetyNumber(members []wzp.Member, met bool, number string) {
	l := line{Event: "safety_number", Number: number}
	inside := func(m wzp.Member) bool { return !m.Outside }
	switch {
	case o.call:
		l.human = "Safety number: " + number + ". Compare it with them by another way than this call."
	case slices.ContainsFunc(members, inside):
		l.human = fmt.Sprintf("Safety number: %s. Compare it with the others by another way, e.g. a call "+
			"you trust.", number)
	case len(members) == 0 && !met:
		l.human = "Nobody else is here yet."
	}
	o.print(l)
}

// warning prints a warning, and what to do about it where that can be said.
func (o *joinOutput) warning(w wzp.Warning) {
	l := memberLine("warning", w.Member)
	l.Code, l.Text = string(w.Code), w.Text
	kind := "Warning: "
	switch w.Code {
	case wzp.WarnRelay, wzp.WarnOutside, wzp.WarnAlike:
		kind = "Note: "
	}
	l.human = kind + w.Text + "."
	if w.Code == wzp.WarnName {
		l.human += " If they tell you by another way that it is them: " +
			o.trust(w.Member.Name, w.Member.Identity.Fingerprint())
	}
	o.print(l)
}

// mediaDropped says that the relay drops part of what we say, or does not any more.
func (o *joinOutput) mediaDropped(e wzp.MediaDropped) {
	l := line{Event: "media_dropped", Over: e.Over, Code: e.Code, Text: e.Text, Dropped: e.Dropped,
		Sent: e.Sent}
	l.human = "Note: the relay passes on all that you say again."
	if !e.Over {
		l.human = fmt.Sprintf("Warning: the relay drops part of what you say: %s (%d of %d packets).", e.Text,
			e.Dropped, e.Sent)
	}
	o.print(l)
}

// shownName is a name that somebody else chose, so that it cannot pass for a line of ours, or for another
// name with what prints nothing.
func shownName(name string) string {
	if name == "" {
		return "(no name)"
	}
	return names.Quote(name)
}

// talking says that push-to-talk was switched.
func (o *joinOutput) talking(on bool) {
	human := "Muted. Press space to talk, h to raise your hand."
	switch {
	case on:
		human = "Transmitting. Press space to stop."
	case o.call:
		human = "Muted. Press space to talk."
	}
	o.print(line{Event: "talking", Talking: &on, human: human})
}

// hand says that somebody raised or lowered a hand.
func (o *joinOutput) hand(e wzp.HandChanged) {
	l := memberLine("hand", e.Member)
	l.Raised = &e.Raised
	l.human = shownName(e.Member.Name) + " lowered their hand."
	if e.Raised {
		l.human = shownName(e.Member.Name) + " has a hand up."
	}
	o.print(l)
}

// ownHand says that our own hand is up, or is not any more.
func (o *joinOutput) ownHand(up bool) {
	human := "Your hand is down. Press h to raise it."
	if up {
		human = "Your hand is up. Press h to lower it."
	}
	o.print(line{Event: "own_hand", Raised: &up, human: human})
}

// summarize counts everything so far. p is nil if nothing was said, playedFrom zero if nothing was played.
func summarize(room *wzp.Room, p *wzp.Publication, playedFrom time.Time) *summary {
	s, uplink := room.Stats(), room.Uplink()
	sum := &summary{
		PacketsSent: s.PacketsSent, PayloadBytesSent: s.PayloadBytesSent,
		WireBytesSent: s.WireBytesSent, WireBytesReceived: s.WireBytesReceived,
		RTT: ms(uplink.RTT), UplinkLoss: uplink.Loss, Talkers: []talker{},
	}
	if p != nil && !p.Started().IsZero() {
		sum.SentFrom = stamp(p.Started())
	}
	if !playedFrom.IsZero() {
		sum.PlayedFrom = stamp(playedFrom)
	}
	for _, st := range room.Heard() {
		m, t := st.Member(), st.Stats()
		sum.Talkers = append(sum.Talkers, talker{
			Member: m.ID.String(), Name: m.Name, Fingerprint: m.Identity.Fingerprint().String(),
			Stream:   st.Number(),
			Received: t.Received, Lost: t.Lost, Recovered: t.Recovered, Late: t.Late, Concealed: t.Concealed,
			Forged: t.Forged, Jitter: ms(t.Jitter), Delay: ms(t.Delay),
		})
	}
	return sum
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
