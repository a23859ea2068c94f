package call

import (
	"context"
	"time"

	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/signalling"
	"github.com/wzp-voice/wzp/internal/wire"
)

// renewKeys is after how long the keys of a call are made anew: in a room they are when somebody leaves, and
// nobody leaves a call.
const renewKeys = 10 * time.Minute

// up makes the room of a call that is up: a room for two, of which no relay knows.
func (l *Line) up(e signalling.Up) {
	c := l.callOf(e.Call)
	if c == nil {
		e.JoinKey.Erase()
		return
	}
	c.keys = callKeys{other: wire.EntryID(e.OtherEntry), say: c.say}
	r := l.client.newRoom(e.CallID.Room(), roomConfig{
		bearer: (*callBearer)(c), read: wire.ParseCallEntry, relay: l.relay, entry: e.Entry, members: 2,
		key: e.JoinKey, secret: e.Secret, eventLog: l.config.EventLog, renew: renewKeys,
	})
	r.roster.beginFetch()
	news := r.roster.addPage([][]byte{e.OtherEntry})
	r.roster.finishFetch(true, time.Now())
	l.mu.Lock()
	c.person, c.name, c.path = e.Other.Identity, e.Other.Name, e.Path
	c.room.Store(r)
	l.mu.Unlock()
	r.start()
	r.announce(news)
	l.client.add(r)
	l.events.put(CallUp{c, r})
}

// say says something about keys to the other end.
func (c *Call) say(s *wire.Signal, acked func(bool)) error {
	err := c.do(func(m *signalling.Line, now time.Time) error {
		switch s.Type {
		case wire.SignalKey:
			return m.SendKey(c.id, s.Key, s.Wrap, now)
		case wire.SignalKeyReceived:
			return m.SendKeyReceived(c.id, s.Number, now)
		default:
			return m.SendKeysWanted(c.id, now)
		}
	})
	if err == nil {
		taken(acked)
	}
	return err
}

// noteMediaLocked tells the machine which frames came and went since it was told last. l.mu is held.
func (c *Call) noteMediaLocked(m *signalling.Line) {
	r := c.room.Load()
	if r == nil {
		return
	}
	start := r.hearing.clock.start
	if at := time.Duration(r.hearing.opened.Load()); at > c.heard {
		c.heard = at
		m.MediaHeard(c.path, start.Add(at))
	}
	if at := time.Duration(r.sender.sent.Load()); at > c.sent {
		c.sent = at
		m.MediaSent(c.path, start.Add(at))
	}
}

// callBearer is the bearer of a call's room.
type callBearer Call

// Session implements bearer.
func (b *callBearer) Session() *link.Session { return b.line.link.Session() }

// Talks implements bearer.
func (b *callBearer) Talks() bool { return b.talks.Load() }

// SendUrgentThen implements bearer.
func (b *callBearer) SendUrgentThen(kind wire.UrgentKind, body []byte, acked func(bool)) error {
	return b.keys.send(kind, body, acked)
}

// Request implements bearer: there is nothing to ask for.
func (b *callBearer) Request(context.Context, wire.Message) (wire.Message, error) {
	return nil, errNotInCall
}

// Close implements bearer.
func (b *callBearer) Close() error {
	err := (*Call)(b).HangUp()
	if err == nil {
		<-b.done
	}
	return nil // that the call has ended is what was wanted
}

// Done implements bearer.
func (b *callBearer) Done() <-chan struct{} { return b.done }

// Err implements bearer.
func (b *callBearer) Err() error {
	<-b.done
	if b.outcome == signalling.Failed {
		return ErrCallFailed
	}
	return link.ErrClosed
}
