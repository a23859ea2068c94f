package call

import (
	"errors"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/e2ee"
	"github.com/wzp-voice/wzp/internal/signalling"
	"github.com/wzp-voice/wzp/internal/wire"
)

// stayKeyEvery is how often a key is noted as used. It is looked for more often, since another program of the
// same identity may have taken it for one of an earlier stay.
const stayKeyEvery = time.Hour

// errNoStayKeys says that missed calls could not be read.
var errNoStayKeys = errors.New("to have missed calls kept, there must be a file of stay keys")

// stayKeys are the key of a line's stay, and those of earlier ones for which the relay may have kept calls.
type stayKeys struct {
	file  *identity.StayKeys // nil: nothing is stored
	id    identity.PublicKey
	own   *e2ee.StayKey
	keeps bool // own is to be stored

	stays map[wire.DeviceID]earlierStay // owned by run
}

type earlierStay struct {
	stored identity.StayKey
	key    *e2ee.StayKey
}

func newStayKeys(id identity.PublicKey, own *e2ee.StayKey, config *LineConfig) (*stayKeys, error) {
	s := &stayKeys{file: config.StayKeys, id: id, own: own, keeps: config.KeepMissed,
		stays: make(map[wire.DeviceID]earlierStay)}
	if s.file == nil {
		if s.keeps {
			return nil, errNoStayKeys
		}
		return s, nil
	}
	stored, err := s.file.Of(id)
	if err != nil {
		return nil, err
	}
	for _, k := range stored {
		if key, err := e2ee.StayKeyFrom(k.Private()); err == nil {
			s.stays[(&wire.Reach{StayKey: key.Public()}).Device()] = earlierStay{k, key}
		}
	}
	return s, nil
}

// earlier returns the earlier stays.
func (s *stayKeys) earlier() (list []signalling.EarlierStay) {
	for _, e := range s.stays {
		list = append(list, signalling.EarlierStay{Key: e.key, Relay: e.stored.Relay})
	}
	return list
}

// used stores the key of this stay, which is at a relay, as one that is used now.
func (s *stayKeys) used(relay identity.PublicKey) error {
	private, ok := s.own.Reveal()
	if !s.keeps || !ok {
		return nil
	}
	stored, err := s.file.Of(s.id)
	if err != nil {
		return err
	}
	for _, k := range stored {
		if k.Private() == private && k.Relay == relay && time.Since(k.Used) < stayKeyEvery {
			return nil
		}
	}
	return s.file.Keep(identity.NewStayKey(s.id, relay, private))
}

// over forgets the key of an earlier stay, of which all is told.
func (s *stayKeys) over(id wire.DeviceID) error {
	e, ok := s.stays[id]
	if !ok {
		return nil
	}
	e.key.Erase()
	delete(s.stays, id)
	return s.file.Forget(e.stored)
}

// erase lets go of all keys, but for what is stored.
func (s *stayKeys) erase() {
	s.own.Erase()
	for _, e := range s.stays {
		e.key.Erase()
	}
}
