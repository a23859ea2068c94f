package link

import (
	"crypto/tls"
	"fmt"
	"slices"
	"time"

	"github.com/quic-go/quic-go"

	"github.com/wzp-voice/wzp/internal/seal"
	"github.com/wzp-voice/wzp/internal/udp"
	"github.com/wzp-voice/wzp/internal/wire"
)

// labelSealed is the exporter label of section 3.1.
const labelSealed = "EXPORTER-wzp/1 sealed"

// retireAfter is how long the keys of a superseded attachment still open packets.
const retireAfter = 10 * time.Second

// superseded is why the connection of an attachment ends that the remote should have ended.
const superseded = "superseded"

// maxAttachments bounds what one session may hold; the oldest one not in use goes first.
const maxAttachments = 8

// connection is what an attachment came over: a *quic.Conn, or a *webConn.
type connection interface {
	CloseWithError(code quic.ApplicationErrorCode, reason string) error
}

// attachment is one QUIC connection of a session, with the keys that its TLS session gave, which outlive the
// connection; or one connection of a browser, which carries the packets itself and has neither ids nor keys.
type attachment struct {
	session *Session
	web     *webConn    // of a browser; nil: the packets are sealed
	local   wire.ConnID // in packets to us; 0: of a browser
	remote  wire.ConnID // in packets to the remote
	reset   seal.ResetToken
	sealer  *seal.Sealer

	// Guarded by session.mu:
	conn    connection // nil once it has ended
	opener  *seal.Opener
	retired time.Time // when it was superseded; zero: it was not
}

// ofBrowser reports whether a is the attachment of a browser.
func (a *attachment) ofBrowser() bool { return a != nil && a.web != nil }

// usable reports whether packets can be sent with the attachment.
func (a *attachment) usable() bool { return a.conn != nil || a.sealer != nil }

// attachments are those of one session, the newest last. They are pure; their Session locks them.
type attachments []*attachment

// add adds one, and returns one that makes room for it.
func (l *attachments) add(a, inUse *attachment) (dropped *attachment) {
	if len(*l) >= maxAttachments {
		i := slices.IndexFunc(*l, func(old *attachment) bool { return old != inUse })
		dropped = (*l)[i]
		*l = slices.Delete(*l, i, i+1)
	}
	*l = append(*l, a)
	return dropped
}

// retire marks all but the one in use as superseded.
func (l attachments) retire(inUse *attachment, now time.Time) {
	for _, a := range l {
		if a == inUse {
			a.retired = time.Time{}
		} else if a.retired.IsZero() {
			a.retired = now
		}
	}
}

// expire removes those that were superseded long ago, and returns them.
func (l *attachments) expire(now time.Time) (gone []*attachment) {
	*l = slices.DeleteFunc(*l, func(a *attachment) bool {
		over := !a.retired.IsZero() && now.Sub(a.retired) > retireAfter
		if over {
			gone = append(gone, a)
		}
		return over
	})
	return gone
}

// connected reports whether a connection is left.
func (l attachments) connected() bool {
	return slices.ContainsFunc(l, func(a *attachment) bool { return a.conn != nil })
}

// newestUsable returns the newest one that can be sent with, or nil.
func (l attachments) newestUsable() *attachment {
	for _, a := range slices.Backward(l) {
		if a.usable() {
			return a
		}
	}
	return nil
}

// install makes a new attachment part of the session. keys are nil for a browser's; path is the one that the
// handshake proved, the zero Path of a browser. A retired attachment only receives. It reports false when the
// session is over.
func (s *Session) install(a *attachment, keys *exported, path udp.Path, now time.Time) bool {
	s.mu.Lock()
	ended := s.ended
	var dropped *attachment
	if !ended {
		if keys != nil {
			send, receive := keys.toClient, keys.toRelay
			if s.client != nil {
				send, receive = receive, send
			}
			a.sealer = seal.NewSealer(send, s.counter.Load())
			a.opener = seal.NewOpener(receive, s.recv.window.Next())
		}
		dropped = s.attachments.add(a, s.out.Load())
		s.recv.authenticAt = now // a handshake is as good as a packet
		if a.retired.IsZero() {
			s.useLocked(a, path, now)
		}
	}
	s.mu.Unlock()
	if !a.ofBrowser() {
		if !ended {
			s.ep.bind(a)
		}
		if s.Over() { // also if it ended just now, and gave the connection id back before that was bound
			s.ep.unbind(a)
		}
	}
	if dropped != nil {
		s.drop(superseded, dropped)
	}
	return !ended
}

// useLocked sends with a new attachment from now on, unless it is for the remote to choose one. The caller
// holds s.mu.
func (s *Session) useLocked(a *attachment, path udp.Path, now time.Time) {
	if s.urgentOut.size() > 0 { // messages that were given to it before it could send
		s.wake()
	}
	if s.client != nil || s.out.Load() == nil || s.recv.received == 0 {
		s.setOutLocked(a)
	}
	if s.client != nil {
		s.attachments.retire(a, now)
	}
	if path != (udp.Path{}) {
		s.roaming = roaming{current: path}
		s.setPathLocked(path)
	}
}

// detach notes that an attachment's connection is gone. Its keys stay while they are in use; a browser's
// packets cannot go that way any more.
func (s *Session) detach(a *attachment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a.conn = nil
	if a.ofBrowser() && s.out.Load() == a {
		s.setOutLocked(s.attachments.newestUsable())
	}
	if s.out.Load() != a && a.retired.IsZero() {
		a.retired = time.Now()
	}
}

// drop gives up attachments that the session does not hold any more, and ends their connections.
func (s *Session) drop(why string, gone ...*attachment) {
	for _, a := range gone {
		s.ep.release(a.local)
		s.mu.Lock()
		conn := a.conn
		s.mu.Unlock()
		if conn != nil { // not here: closing waits for the connection's own goroutine
			s.ep.background(func() { conn.CloseWithError(quicEnded, why) })
		}
	}
}

// exported is what both sides derive from one TLS session.
type exported struct {
	hello             []byte
	toRelay, toClient seal.Secret
}

func export(state tls.ConnectionState) (e exported, err error) {
	keys, err := state.ExportKeyingMaterial(labelSealed, nil, 2*seal.SecretSize)
	if err != nil {
		return e, fmt.Errorf("cannot export keys from TLS: %w", err)
	}
	e.toRelay, e.toClient = seal.Secret(keys[:seal.SecretSize]), seal.Secret(keys[seal.SecretSize:])
	e.hello, err = state.ExportKeyingMaterial(wire.ExporterLabel, nil, wire.ExporterSize)
	return e, err
}
