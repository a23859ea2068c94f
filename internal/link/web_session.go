package link

import (
	"slices"
	"time"

	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/seal"
	"github.com/wzp-voice/wzp/internal/udp"
	"github.com/wzp-voice/wzp/internal/wire"
)

// unusedKey is in the routes to browsers, where SendMediaAll touches it.
var unusedKey, _ = seal.NewSealer(seal.Secret{}, 0).Key(0)

// ofBrowser reports whether a is the attachment of a browser.
func (a *attachment) ofBrowser() bool { return a != nil && a.web != nil }

// installWeb makes a browser's new attachment part of the session. It reports false when the session is over.
func (s *Session) installWeb(a *attachment, now time.Time) bool {
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		return false
	}
	dropped := s.attachLocked(a, now)
	if s.out.Load() == nil || s.recv.received == 0 {
		s.setOutLocked(a)
	}
	s.mu.Unlock()
	if dropped != nil {
		s.drop(dropped)
	}
	return true
}

// receiveWeb handles a packet of a browser: the connection that it came on has authenticated it.
func (s *Session) receiveWeb(tx *Tx, a *attachment, p []byte) {
	low, frames, err := wire.ParseWebPacket(p)
	if err != nil {
		s.ep.drops.Add(drops.BadHeader, 1)
		return
	}
	s.mu.Lock()
	if s.ended {
		s.mu.Unlock()
		return
	}
	counter := wire.DecodeCounter(low, 32, s.recv.window.Next())
	if !s.recv.window.Fresh(counter) {
		s.mu.Unlock()
		s.ep.drops.Add(drops.Replayed, 1)
		return
	}
	if s.recv.packet(counter, len(p)+packetOverhead, tx.now) {
		s.newestWebLocked(a, tx.now)
	}
	s.mu.Unlock()
	tx.packet = counter
	s.frames(tx, frames, udp.Path{})
	s.reportAfterPacket(tx)
}

// newestWebLocked follows the peer to the connection of its newest packet, if it is still there. The caller holds
// s.mu.
func (s *Session) newestWebLocked(a *attachment, now time.Time) {
	if s.out.Load() == a || a.conn == nil || !slices.Contains(s.attachments, a) {
		return
	}
	s.setOutLocked(a)
	s.retireLocked(a, now)
	s.roaming.candidate = udp.Path{} // of an earlier attachment that was not a browser's
}

// usableLocked returns the newest attachment that can be sent with, or nil. The caller holds s.mu.
func (s *Session) usableLocked() *attachment {
	for _, a := range slices.Backward(s.attachments) {
		if a.conn != nil || a.sealer != nil {
			return a
		}
	}
	return nil
}
