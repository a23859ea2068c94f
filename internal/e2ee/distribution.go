package e2ee

import (
	"crypto/sha256"
	"iter"
	"runtime"
	"slices"

	"github.com/wzp-voice/wzp/internal/wire"
)

// Distribution is one header of a sender key and those who get the key under it. It is immutable, and valid
// after the Talker went on to other keys; its copy of the key is erased when nothing refers to it any more.
//
//	Announce:  recipients || header || signature                 one message, first
//	Wraps:     number || size || (member id || wrap) ...         as many as are needed, 14 or 11 wraps each
type Distribution struct {
	number   uint32
	announce []byte
	header   []byte
	self     wire.EntryHash
	to       []Recipient
	key      *mediaKey // a copy
}

// newDistribution signs a header of key with t's last number, for the recipients to, whose join keys must be
// sound.
func newDistribution(t *Talker, key *mediaKey, to []Recipient) *Distribution {
	w := slices.Clone(*key.w)
	header := wire.AppendKeyHeader(nil, &wire.KeyHeader{
		Suite: uint8(key.suite), Number: t.number, Epoch: key.epoch(), FirstCTR: key.first,
		Hash: sha256.Sum256(w), Members: DigestMembers(t.everyMember),
	})
	signed := wire.SignedKey{Signed: header, Signature: signHeader(t.id, t.self, header)}
	d := &Distribution{
		number:   t.number,
		announce: wire.Append(nil, &wire.SenderKey{Recipients: uint32(len(to)), Key: signed}),
		header:   header,
		self:     t.self,
		to:       to,
		key:      &mediaKey{key.suite, key.generation, key.step, key.first, &w},
	}
	runtime.AddCleanup(d, (*mediaKey).erase, d.key)
	return d
}

// Number returns the key number.
func (d *Distribution) Number() uint32 { return d.number }

// Has reports whether a member is among the recipients.
func (d *Distribution) Has(id wire.MemberID) bool {
	return slices.ContainsFunc(d.to, func(r Recipient) bool { return r.Hash.Member() == id })
}

// Announce returns the body of the urgent message of kind 6. It is not to be changed.
func (d *Distribution) Announce() []byte { return d.announce }

// Wraps returns the bodies of the urgent messages of kind 7, at most [wire.MaxUrgent] bytes each. Each is
// made when it is asked for, at the price of an X25519 key agreement a recipient, so that a large room does
// not stop the caller for long.
func (d *Distribution) Wraps() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		defer runtime.KeepAlive(d)
		size := wire.WrapFresh
		if d.key.step > 0 {
			size = wire.WrapRatcheted
		}
		begin := wire.AppendKeyWraps(nil, d.number, size)
		each := (wire.MaxUrgent - len(begin)) / (len(wire.MemberID{}) + size)
		for group := range slices.Chunk(d.to, each) {
			if message := d.wrap(slices.Clone(begin), group); len(message) > len(begin) && !yield(message) {
				return
			}
		}
	}
}

// wrap adds the wraps for group to a message. None fails: the recipients' join keys were looked at before.
func (d *Distribution) wrap(message []byte, group []Recipient) []byte {
	for _, to := range group {
		if wrap, err := wrapKey(to.JoinKey, d.self, d.header, to.Hash, *d.key.w); err == nil {
			message = wire.AppendWrap(message, to.Hash.Member(), wrap)
		}
	}
	return message
}
