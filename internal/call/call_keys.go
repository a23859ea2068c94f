package call

import (
	"errors"
	"slices"
	"sync"

	"github.com/wzp-voice/wzp/internal/wire"
)

// maxAnnounced is how many of our keys wait for their wrap: the keeper has no more under way.
const maxAnnounced = 4

// errNotInCall says that a room for two says nothing of that kind.
var errNotInCall = errors.New("call: not in a call")

// callKeys turns what a room says about keys to a relay into what the two ends of a call say to each other,
// and back: there is no relay between them that would know the room.
//
//	keeper ── sender key, then its wrap ──> signal: key ──────────> the other end: keeper.keyCame
//	keeper.keyDelivered <────────────────── signal: key received <── at once
//	keeper ── keys wanted ────────────────> signal: keys wanted ──> keeper.keyWanted
type callKeys struct {
	other wire.MemberID
	say   func(s *wire.Signal, acked func(bool)) error // to the other end; acked: it was taken by our relay

	mu        sync.Mutex // guards announced
	announced []wire.SignedKey
}

// send says what the room says about keys. acked is as in bearer.SendUrgentThen.
func (k *callKeys) send(kind wire.UrgentKind, body []byte, acked func(bool)) error {
	switch kind {
	case wire.UrgentSenderKey:
		m, err := wire.Parse[wire.SenderKey](body)
		if err != nil {
			return err
		}
		k.announce(m.Key)
		taken(acked)
		return nil
	case wire.UrgentKeyWraps:
		return k.sendWraps(body, acked)
	case wire.UrgentKeysWanted:
		return k.say(&wire.Signal{Type: wire.SignalKeysWanted}, acked)
	}
	return errNotInCall
}

// taken reports that there was nothing to send.
func taken(acked func(bool)) {
	if acked != nil {
		acked(true)
	}
}

// announce keeps a key until its wrap comes.
func (k *callKeys) announce(key wire.SignedKey) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.announced) >= maxAnnounced {
		k.announced = slices.Delete(k.announced, 0, 1)
	}
	k.announced = append(k.announced, key)
}

// of returns the key with a number, which was announced.
func (k *callKeys) of(number uint32) (key wire.SignedKey, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	i := slices.IndexFunc(k.announced, func(key wire.SignedKey) bool { return key.Number == number })
	if i < 0 {
		return key, false
	}
	return k.announced[i], true
}

// sendWraps sends the wrap for the other end, with the key that was announced before it.
func (k *callKeys) sendWraps(body []byte, acked func(bool)) error {
	wraps, err := wire.ParseKeyWraps(body)
	if err != nil {
		return err
	}
	key, ok := k.of(wraps.Number)
	for i := 0; ok && i < wraps.Len(); i++ {
		if to, wrap := wraps.Wrap(i); to == k.other {
			return k.say(&wire.Signal{Type: wire.SignalKey, Key: key, Wrap: wrap}, acked)
		}
	}
	taken(acked) // it is for nobody who is here
	return nil
}

// keyCame gives the keeper a key of the other end's, and says that it came. Whether it was understood does
// not matter: who lacks a key asks for it.
func (k *callKeys) keyCame(key wire.Key, keeper *keeper) {
	key.Sender = k.other
	keeper.keyCame(wire.Append(nil, &key))
	_ = k.say(&wire.Signal{Type: wire.SignalKeyReceived, Number: key.Key.Number}, nil)
}
