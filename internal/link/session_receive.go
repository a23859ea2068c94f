package link

import (
	"errors"
	"slices"

	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/udp"
	"github.com/wzp-voice/wzp/internal/wire"
)

// receive opens packet p of attachment a and handles its frames: sealed, or of a browser, whose connection
// has authenticated it. low are the low bits of its counter, header is what p has before the frames.
func (s *Session) receive(tx *Tx, a *attachment, low uint32, bits int, p []byte, header int, from udp.Path) {
	size := len(p) + udpHeaders
	tx.Lock(&s.mu)
	if s.ended {
		tx.Unlock(&s.mu)
		return
	}
	counter := wire.DecodeCounter(low, bits, s.recv.window.Next())
	if !s.recv.window.Fresh(counter) {
		tx.Unlock(&s.mu)
		s.ep.drops.Add(drops.Replayed, 1)
		return
	}
	var frames []byte
	if a.web == nil {
		var err error
		if frames, err = a.opener.Open(p, header, counter, &tx.nonce); err != nil {
			tx.Unlock(&s.mu)
			s.ep.drops.Add(drops.Forged, 1)
			return
		}
	} else {
		frames, size = p[header:], len(p)+packetOverhead
	}
	interval := s.recv.interval
	if s.recv.packet(counter, size, tx.now) {
		s.newestLocked(tx, a, from, len(p))
	}
	if s.recv.interval != interval {
		s.reportAt.Add(int64(s.recv.interval - interval))
	}
	first := s.recv.received == 1
	tx.Unlock(&s.mu)
	if first { // it has been welcomed
		s.ep.repeats.end(from.Remote)
	}
	tx.packet = counter
	s.frames(tx, frames, from)
	s.reportAfterPacket(tx)
}

// newestLocked follows the remote to the keys and the address of its newest packet, or to the connection of a
// browser. The caller holds s.mu.
func (s *Session) newestLocked(tx *Tx, a *attachment, from udp.Path, size int) {
	if s.client == nil && s.out.Load() != a && a.usable() && slices.Contains(s.attachments, a) {
		s.setOutLocked(a)
		s.attachments.retire(a, tx.now)
		if a.ofBrowser() {
			s.roaming.candidate = udp.Path{} // of an earlier attachment that was not a browser's
		}
	}
	if a.ofBrowser() {
		return
	}
	before := s.roaming.current
	s.roaming.newest(from, size, tx.now)
	if s.roaming.current != before {
		s.setPathLocked(s.roaming.current)
	}
	if s.roaming.probing() {
		s.wake()
		s.probeLocked(tx)
	}
}

// probeLocked challenges the address that the remote may have moved to. The caller holds s.mu.
func (s *Session) probeLocked(tx *Tx) {
	const size = wire.LongHeader + 1 + 8 + wire.TagSize
	if s.roaming.probe(size, tx.now) {
		tx.plain = wire.AppendEcho(tx.plain[:0], wire.FrameChallenge, s.roaming.challenge, true)
		s.transmitTo(tx, s.roaming.candidate, tx.plain)
	}
}

// errOver says that the rest of a packet is of no interest: its session has ended.
var errOver = errors.New("link: the session is over")

// frames handles the plaintext of a packet. A frame that cannot be read ends it; the session goes on.
func (s *Session) frames(tx *Tx, p []byte, from udp.Path) {
	for n := 0; len(p) > 0; n++ {
		if n == wire.MaxFrames {
			s.ep.drops.Add(drops.Malformed, 1)
			return
		}
		f, rest, err := wire.NextFrame(p)
		if err == nil {
			err = s.frame(tx, f, from)
		}
		if errors.Is(err, errOver) {
			return
		}
		if err != nil && !errors.Is(err, wire.ErrUnknown) {
			s.ep.drops.Add(drops.Malformed, 1)
			return
		}
		p = rest
	}
}

// frame handles one frame.
func (s *Session) frame(tx *Tx, f wire.Frame, from udp.Path) error {
	if s.probe != nil && !s.probe.takes(f) {
		return errProbeFrame
	}
	if f.IsMedia() {
		s.elicit()
		return s.media(tx, f)
	}
	if f.Kind != wire.KindTyped {
		return nil // repair: reserved
	}
	switch f.Type {
	case wire.FramePing, wire.FramePong, wire.FrameChallenge, wire.FrameResponse:
		data, err := wire.ParseEcho(f.Body)
		if err == nil {
			s.echo(tx, f.Type, data, from)
		}
		return err
	case wire.FrameReport:
		report, err := wire.ParseReport(f.Body)
		if err == nil {
			s.report(tx, &report)
		}
		return err
	case wire.FrameUrgent:
		s.elicit()
		u, err := wire.ParseUrgent(f.Body)
		if err == nil {
			s.urgent(tx, &u)
		}
		return err
	case wire.FrameUrgentAck:
		ack, err := wire.ParseUrgentAck(f.Body)
		if err == nil {
			tx.Lock(&s.mu)
			done := s.urgentOut.ack(ack, tx.now)
			s.urgentLocked(tx)
			tx.Unlock(&s.mu)
			s.arrived()
			callAll(done, true)
		}
		return err
	case wire.FrameAliasAck:
		var buf [8]wire.AliasPair
		pairs, err := wire.ParseAliasAck(buf[:0], f.Body)
		for _, pair := range pairs {
			s.handler.AliasAcked(s, pair)
		}
		return err
	case wire.FrameClose:
		code, err := wire.ParseClose(f.Body)
		if err == nil {
			s.end(tx, code, false)
			return errOver
		}
		return err
	}
	return nil // padding, and types that came after this version
}

// echo handles the four frames that are answered by, or answer with, the same 8 bytes.
func (s *Session) echo(tx *Tx, t wire.FrameType, data [8]byte, from udp.Path) {
	switch t {
	case wire.FramePing, wire.FrameChallenge:
		answer := wire.FramePong
		if t == wire.FrameChallenge {
			answer = wire.FrameResponse
		}
		if s.probe == nil { // on one nothing is reported
			s.elicit()
		} else if answer == wire.FramePong && !s.probe.pongs.AllowN(tx.now, 1) {
			s.ep.drops.Add(drops.ProbeRate, 1)
			return
		}
		if s.peer && answer == wire.FramePong && s.pongWithReport(tx, data) {
			return
		}
		tx.plain = wire.AppendEcho(tx.plain[:0], answer, data, true)
		s.transmit(tx, tx.plain)
	case wire.FramePong:
		sent, kind := parsePing(data)
		s.mu.Lock()
		if sent > 0 && sent <= tx.at {
			s.send.rtt(tx.at - sent)
			s.urgentOut.pace.pong(tx.now, kind, tx.at-sent)
			if s.trips != nil {
				s.trips.answered(sent, tx.at)
			}
		}
		s.pings.answered()
		s.mu.Unlock()
		s.arrived()
	case wire.FrameResponse:
		s.mu.Lock()
		if s.roaming.response(from, data) {
			s.setPathLocked(from)
			s.ep.moved.Add(1)
		}
		s.mu.Unlock()
	}
}

// report evaluates a report of the remote.
func (s *Session) report(tx *Tx, p *wire.Report) {
	s.mu.Lock()
	progress := s.send.report(p, s.counter.Load(), &s.sent, tx.at)
	if s.send.any {
		s.acked.Store(s.send.highest + 1)
	}
	if progress {
		s.urgentOut.pace.alone(tx.now, tx.now.Add(s.send.sampled-tx.at), s.send.sample)
		s.watchLocked(tx)
	}
	s.mu.Unlock()
	if progress {
		s.arrived()
	}
}

// urgent hands an urgent message on if it is new, and answers with what has been received and could be used.
// One that comes while another goroutine hands one on gets no answer, for a duplicate of that may be refused
// yet; it comes again.
func (s *Session) urgent(tx *Tx, u *wire.Urgent) {
	s.mu.Lock()
	fresh, ok := s.urgentIn.begin(u.Number)
	ok = ok && !s.ended
	s.mu.Unlock()
	if !ok {
		return
	}
	accepted := fresh && s.handler.Urgent(s, u.Kind, u.Message)
	s.mu.Lock()
	if fresh {
		s.urgentIn.end(u.Number, accepted)
	}
	ack := s.urgentIn.ack()
	s.mu.Unlock()
	tx.plain = wire.AppendUrgentAck(tx.plain[:0], ack, true)
	s.transmit(tx, tx.plain)
}
