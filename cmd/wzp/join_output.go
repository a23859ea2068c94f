package main

import (
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wzp-voice/wzp"
	"github.com/wzp-voice/wzp/identity"
)

// joinOutput prints what happens in a room, for people or as JSON.
type joinOutput struct {
	json        bool
	room        *wzp.Room
	relay       string
	fingerprint identity.Fingerprint

	raw atomic.Bool // the terminal needs carriage returns

	mu     sync.Mutex // held for a line; guards what follows
	p      *wzp.Publication
	played time.Time
}

// line is one JSON object; absent fields are left out.
type line struct {
	Event       string `json:"event"`
	Time        string `json:"ts"`
	Room        string `json:"room,omitempty"`
	Relay       string `json:"relay,omitempty"`
	Member      string `json:"member,omitempty"`
	Name        string `json:"name,omitempty"`
	Fingerprint string `json:"fingerprint,omitempty"`
	Stream      *int   `json:"stream,omitempty"`
	Text        string `json:"text,omitempty"`
	Cause       string `json:"cause,omitempty"`
	Restarted   *bool  `json:"restarted,omitempty"`
	Talking     *bool  `json:"talking,omitempty"`
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

// print writes one line. JSON goes to standard output; so do the words for people.
func (o *joinOutput) print(l line) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.json {
		if l.human != "" {
			end := "\n"
			if o.raw.Load() {
				end = "\r\n"
			}
			fmt.Print(l.human, end)
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
	os.Stdout.Write(append(b, '\n'))
}

// stamp is a time in microseconds, UTC.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }

func (o *joinOutput) joined() {
	o.print(line{
		Event: "joined", Room: o.room.Name(), Relay: o.relay, Member: o.room.ID().String(), Fingerprint: o.fingerprint.String(),
		human: fmt.Sprintf("You are in %q on %s. Your fingerprint is %s.", o.room.Name(), o.relay, o.fingerprint),
	})
}

// publication notes what is being said, for the summary.
func (o *joinOutput) publication(p *wzp.Publication) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.p = p
}

// playing notes when the first sample is played.
func (o *joinOutput) playing() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.played = time.Now()
}

// follow prints events until the room is over, and returns why it is.
func (o *joinOutput) follow(events <-chan wzp.Event) error {
	var ended error
	for e := range events {
		switch e := e.(type) {
		case wzp.MemberJoined:
			o.member("member_joined", e.Member, "is here")
		case wzp.MemberLeft:
			o.member("member_left", e.Member, "has left")
		case wzp.StreamStarted:
			m, n := e.Stream.Member(), e.Stream.Number()
			o.print(line{Event: "talker", Member: m.ID.String(), Name: m.Name, Stream: &n})
		case wzp.Detached:
			o.print(line{Event: "detached", Cause: e.Cause, human: "Reconnecting: " + e.Cause + "."})
		case wzp.Attached:
			o.print(line{Event: "attached", Restarted: &e.Restarted, human: "Connected again."})
		case wzp.Warning:
			o.print(line{Event: "warning", Text: e.Text, human: "Note: " + e.Text + "."})
		case wzp.Ended:
			ended = e.Err
		}
	}
	return ended
}

func (o *joinOutput) member(event string, m wzp.Member, what string) {
	fingerprint := m.Identity.Fingerprint().String()
	name := m.Name
	if name == "" {
		name = "(no name)"
	}
	o.print(line{Event: event, Member: m.ID.String(), Name: m.Name, Fingerprint: fingerprint,
		human: fmt.Sprintf("%s %s (%s).", name, what, fingerprint)})
}

// talking says that push-to-talk was switched.
func (o *joinOutput) talking(on bool) {
	human := "Muted. Press space to talk."
	if on {
		human = "Transmitting. Press space to stop."
	}
	o.print(line{Event: "talking", Talking: &on, human: human})
}

// summary counts everything so far.
func (o *joinOutput) summary() line {
	s := o.room.Stats()
	sum := &summary{
		PacketsSent: s.PacketsSent, PayloadBytesSent: s.PayloadBytesSent,
		WireBytesSent: s.WireBytesSent, WireBytesReceived: s.WireBytesReceived,
		RTT: ms(s.Uplink.RTT), UplinkLoss: s.Uplink.Loss, Talkers: []talker{},
	}
	o.mu.Lock()
	if o.p != nil && !o.p.Start().IsZero() {
		sum.SentFrom = stamp(o.p.Start())
	}
	if !o.played.IsZero() {
		sum.PlayedFrom = stamp(o.played)
	}
	o.mu.Unlock()
	var lost, received uint64
	for _, st := range o.room.Heard() {
		m, t := st.Member(), st.Stats()
		sum.Talkers = append(sum.Talkers, talker{
			Member: m.ID.String(), Name: m.Name, Fingerprint: m.Identity.Fingerprint().String(), Stream: st.Number(),
			Received: t.Received, Lost: t.Lost, Recovered: t.Recovered, Late: t.Late, Concealed: t.Concealed,
			Forged: t.Forged, Jitter: ms(t.Jitter), Delay: ms(t.Delay),
		})
		lost, received = lost+t.Lost, received+t.Received
	}
	return line{Event: "summary", summary: sum,
		human: fmt.Sprintf("Sent %d packets; talkers heard: %d, packets %d, lost %d.", s.PacketsSent, len(sum.Talkers), received, lost)}
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
