package main

import (
	"cmp"
	"fmt"
	"time"

	"github.com/wzp-voice/wzp"
	"github.com/wzp-voice/wzp/identity"
)

// callFields are what lines about calls have.
type callFields struct {
	Contact  string `json:"contact,omitempty"` // what we call them
	Outcome  string `json:"outcome,omitempty"`
	Incoming *bool  `json:"incoming,omitempty"`
	ByUs     *bool  `json:"held_by_us,omitempty"`
	ByThem   *bool  `json:"held_by_them,omitempty"`
	Muted    *bool  `json:"muted,omitempty"`
	Silent   *bool  `json:"silent,omitempty"`
	At       string `json:"at,omitempty"`
	More     int    `json:"more,omitempty"`
}

// lineOpen says that calls can be made, and taken.
func (o *joinOutput) lineOpen(f identity.Fingerprint, how wzp.LineConfig) {
	l := line{Event: "line", Relay: o.relay, Fingerprint: f.String()}
	who := "Your contacts"
	if how.Anybody {
		who = "Anybody"
	}
	switch {
	case how.DoNotDisturb:
		l.human = fmt.Sprintf("Nobody rings, and who calls by %s is shown. Your fingerprint is %s. "+
			"Ctrl-C ends that.", o.relay, f)
	case how.Available:
		l.human = fmt.Sprintf("%s can call you, by %s. Your fingerprint is %s. Ctrl-C ends that.", who,
			o.relay, f)
	}
	o.print(l)
}

// noKeys says that nothing that rings can be answered.
func (o *joinOutput) noKeys() {
	const text = "no call is answered, for no key can be pressed here: run it in a terminal, or add --auto"
	o.print(line{Event: "warning", Code: "keys", Text: text, human: "Note: " + text + "."})
}

func (o *joinOutput) calling(who *identity.Contact) {
	name := who.Fingerprint.String()
	if who.Name != "" {
		name = shownName(who.Name)
	}
	o.print(line{Event: "calling", Name: who.Name, Fingerprint: who.Fingerprint.String(),
		human: "Calling " + name + ". Ctrl-C hangs up."})
}

// callLine is a line about a call.
func (o *joinOutput) callLine(event, contact string, call wzp.Call, human string) {
	incoming := call.Incoming()
	l := personLine(event, call)
	l.Contact, l.Incoming, l.human = contact, &incoming, human
	o.print(l)
}

// personLine is a line about whom a call is with, as far as that is known.
func personLine(event string, call wzp.Call) line {
	key, name := call.Person()
	l := line{Event: event, Name: name}
	if key != (identity.PublicKey{}) {
		l.Fingerprint = key.Fingerprint().String()
	}
	return l
}

// incoming says that somebody calls, whom we call contact if it is one. keys: it can be answered by one.
func (o *joinOutput) incoming(contact string, call wzp.Call, keys bool) {
	_, name := call.Person()
	human := shownName(cmp.Or(contact, name)) + " calls."
	if keys {
		human += " Press a to answer, d to decline."
	}
	o.callLine("incoming", contact, call, human)
}

// callUp says that a call is up, and what keys do in it.
func (o *joinOutput) callUp(contact string, e wzp.CallUp, keys string) {
	key, name := e.Call.Person()
	o.callLine("call_up", contact, e.Call, fmt.Sprintf("You talk with %s (%s).%s",
		shownName(cmp.Or(contact, name)), key.Fingerprint(), keys))
}

func (o *joinOutput) callEnded(e wzp.CallEnded) {
	incoming := e.Call.Incoming()
	l := personLine("call_ended", e.Call)
	l.Incoming, l.Outcome = &incoming, string(e.Outcome)
	l.human = map[wzp.Outcome]string{
		wzp.HungUp: "They hung up.", wzp.HungUpHere: "You hung up.", wzp.Missed: "They gave up calling.",
		wzp.Elsewhere: "Another device of yours took the call.", wzp.Transferred: "The call was handed on.",
		wzp.Failed: "The call was lost.",
	}[e.Outcome]
	if e.Outcome == wzp.Declined && incoming {
		l.human = "You declined."
	}
	o.print(l)
}

func (o *joinOutput) held(e wzp.CallHeld) {
	l := personLine("held", e.Call)
	l.ByUs, l.ByThem = &e.ByUs, &e.ByTheirs
	switch {
	case e.ByUs:
		l.human = "You hold the call: nothing is heard. Press h to go on."
	case e.ByTheirs:
		l.human = "They hold the call: nothing is heard."
	default:
		l.human = "The call goes on."
	}
	o.print(l)
}

func (o *joinOutput) muted(e wzp.CallMuted) {
	l := personLine("muted", e.Call)
	l.Muted, l.human = &e.Muted, "Their microphone is open."
	if e.Muted {
		l.human = "Their microphone is muted."
	}
	o.print(l)
}

// ownMute says that our own microphone was closed, or opened.
func (o *joinOutput) ownMute(on bool) {
	human := "Your microphone is open."
	if on {
		human = "Your microphone is muted. Press m to talk."
	}
	o.print(line{Event: "own_mute", callFields: callFields{Muted: &on}, human: human})
}

func (o *joinOutput) silent(e wzp.CallSilent) {
	l := personLine("silent", e.Call)
	l.Silent, l.human = &e.Silent, "They are heard again."
	if e.Silent {
		l.human = "Nothing comes from the other end. Looking for another way."
	}
	o.print(l)
}

func (o *joinOutput) missed(contact string, e wzp.MissedCall) {
	name := shownName(cmp.Or(contact, e.Name))
	o.print(line{Event: "missed", Name: e.Name, Fingerprint: e.Person.Fingerprint().String(),
		callFields: callFields{Contact: contact, At: stamp(e.At)},
		human:      fmt.Sprintf("%s called %s.", name, when(e.At))})
}

// stranger says that somebody called who may not ring. Whoever it was chose the name, so people are told
// the fingerprint.
func (o *joinOutput) stranger(e wzp.StrangerCalled) {
	f := e.Person.Fingerprint()
	o.print(line{Event: "stranger", Name: e.Name, Fingerprint: f.String(),
		callFields: callFields{At: stamp(e.At), More: e.More},
		human: fmt.Sprintf("Somebody you have not met called %s (%s). If you know them: wzp contacts add "+
			"NAME %s", when(e.At), f, f)})
}

// when says when something was, for people.
func when(at time.Time) string {
	at = at.Local()
	y, m, d := time.Now().Date()
	if at.Before(time.Date(y, m, d, 0, 0, 0, 0, time.Local)) {
		return "on " + at.Format("Monday at 15:04")
	}
	return "at " + at.Format(time.TimeOnly)
}

// clockOff says that somebody called whose time is not ours.
func (o *joinOutput) clockOff(e wzp.ClockOff) {
	text := "somebody called, but did not get through: this clock or theirs is more than 2 minutes off"
	o.print(line{Event: "warning", Code: "clock", Text: text, callFields: callFields{At: stamp(e.At)},
		human: "Note: " + text + ". See that the date and time of this machine are right."})
}

// add adds what one call came to to the total of all.
func (t *summary) add(s *summary) {
	t.calls++
	t.PacketsSent += s.PacketsSent
	t.PayloadBytesSent += s.PayloadBytesSent
	t.WireBytesSent, t.WireBytesReceived = s.WireBytesSent, s.WireBytesReceived // of the whole client
	t.RTT, t.UplinkLoss, t.SentFrom, t.PlayedFrom = s.RTT, s.UplinkLoss, s.SentFrom, s.PlayedFrom
	t.Talkers = append(t.Talkers, s.Talkers...)
}

// total says what all calls came to; to people, if there were any.
func (o *joinOutput) total(all *summary) {
	l := line{Event: "summary", summary: all}
	if all.calls > 0 {
		l.human = all.words()
	}
	o.print(l)
}

// words are for people.
func (t *summary) words() string {
	var lost, received uint64
	for _, talker := range t.Talkers {
		lost, received = lost+talker.Lost, received+talker.Received
	}
	return fmt.Sprintf("Sent %d packets; talkers heard: %d, packets %d, lost %d.", t.PacketsSent,
		len(t.Talkers), received, lost)
}
