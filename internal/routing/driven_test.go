package routing

import (
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/wire"
)

// drivenTable is a Table whose effects are carried out after each call.
type drivenTable struct {
	*Table
	on effects
}

// effects is who carries them out.
type effects interface {
	send(p wire.RelayID, kind wire.UrgentKind, body []byte)
	sendThen(p wire.RelayID, kind wire.UrgentKind, body []byte, r Receipt)
	shown(home identity.PublicKey, label string, by Hop, room string, joined [][]byte, left []wire.MemberID)
	reach(part PartKey, way Way)
	trunks(home wire.RelayID, room string, to []wire.RelayID)
	problem(p wire.RelayID, what string, reason string)
	notGlobal(p wire.RelayID, room string)
}

func drive(t *Table, on effects) *drivenTable { return &drivenTable{t, on} }

func (d *drivenTable) carryOut() {
	for _, e := range d.Drain() {
		switch e := e.(type) {
		case Send:
			if e.Receipt == nil {
				d.on.send(e.To, e.Kind, e.Body)
			} else {
				d.on.sendThen(e.To, e.Kind, e.Body, *e.Receipt)
			}
		case Members:
			d.on.shown(e.Home, e.Label, e.By, e.Room, e.Joined, e.Left)
		case Reach:
			d.on.reach(e.Part, e.Way)
		case Trunks:
			d.on.trunks(e.Home, e.Room, e.To)
		case Problem:
			d.on.problem(e.Peer, e.What, e.Reason)
		case NotGlobal:
			d.on.notGlobal(e.Peer, e.Room)
		}
	}
}

func (d *drivenTable) up(p wire.RelayID, label string, now time.Time) {
	d.Up(p, label, now)
	d.carryOut()
}

func (d *drivenTable) down(p wire.RelayID, now time.Time) {
	d.Down(p, now)
	d.carryOut()
}

func (d *drivenTable) suspect(p wire.RelayID, suspect bool, now time.Time) {
	d.Suspect(p, suspect, now)
	d.carryOut()
}

func (d *drivenTable) receive(p wire.RelayID, kind wire.UrgentKind, body []byte, now time.Time) (taken bool) {
	defer d.carryOut()
	return d.Receive(p, kind, body, now)
}

func (d *drivenTable) acked(p wire.RelayID, r Receipt, now time.Time) {
	d.Acked(p, r, now)
	d.carryOut()
}

func (d *drivenTable) local(room string, entries [][]byte, now time.Time) {
	d.SetLocal(room, entries, now)
	d.carryOut()
}

func (d *drivenTable) tick(now time.Time) (next time.Time) {
	defer d.carryOut()
	return d.Tick(now)
}

func (d *drivenTable) configure(isGlobal func(string) bool, now time.Time) {
	d.Configure(isGlobal, now)
	d.carryOut()
}
