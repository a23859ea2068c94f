package wire

import (
	"strconv"

	"github.com/wzp-voice/wzp/identity"
)

// MaxSignal is the length limit of a signal in bytes: what a call message takes beside counter and tag.
const MaxSignal = MaxCallMessage - 8 - 16

// SignalType says which of the things that the two ends of a call say to each other a [Signal] is.
type SignalType uint8

// All types, with the end that says it and the fields that go with it.
const (
	SignalRinging       SignalType = 1  // called: it rings
	SignalAnswer        SignalType = 2  // called: Entry
	SignalConfirm       SignalType = 3  // caller, to the device whose answer it chose: Chosen
	SignalDecline       SignalType = 4  // called
	SignalBusy          SignalType = 5  // called
	SignalCancel        SignalType = 6  // caller
	SignalHangUp        SignalType = 7  // both: Reason
	SignalHold          SignalType = 8  // both
	SignalUnhold        SignalType = 9  // both
	SignalMute          SignalType = 10 // both
	SignalUnmute        SignalType = 11 // both
	SignalTransfer      SignalType = 12 // both: Person, Consent
	SignalTransferAck   SignalType = 13 // both: Accepted
	SignalKey           SignalType = 14 // both: Key, Wrap
	SignalKeyReceived   SignalType = 15 // both: Number
	SignalKeysWanted    SignalType = 16 // both
	SignalAlive         SignalType = 17 // both: Generation, if it is not 0
	SignalElsewhere     SignalType = 18 // caller, to the other devices
	SignalConsentWanted SignalType = 19 // both: Person, Call
	SignalConsent       SignalType = 20 // both: Accepted, Consent if it is
)

var signalNames = [...]string{1: "ringing", "answer", "confirm", "decline", "busy", "cancel", "hang up",
	"hold", "unhold", "mute", "unmute", "transfer", "transfer ack", "key", "key received", "keys wanted",
	"alive", "elsewhere", "consent wanted", "consent"}

// String returns a name, or the number of an unknown type.
func (t SignalType) String() string {
	if int(t) < len(signalNames) && t > 0 {
		return signalNames[t]
	}
	return "signal " + strconv.Itoa(int(t))
}

// HangUpReason says why an end hangs up. Others may come: they are as good as the first.
type HangUpReason uint8

// The reasons.
const (
	HangUpNormal      HangUpReason = 0
	HangUpFailed      HangUpReason = 1 // no path between the ends for too long
	HangUpTransferred HangUpReason = 2 // the call goes on between the others
)

// Signal is what one end of a call says to the other, inside of the encryption of a call message;
// docs/protocol.md, section 14.2. Which fields there are depends on the type.
//
//	type (1) || fields
type Signal struct {
	Type     SignalType
	Entry    []byte             // the called's member entry, not checked; aliases what was parsed
	Chosen   EntryHash          // of the entry in the answer that the caller chose
	Reason   HangUpReason       // known or not
	Person   identity.PublicKey // transfer: whom to call; consent wanted: who would be told to
	Call     CallID             // of the two who would be parted
	Consent  Consent            // the third's; not checked
	Accepted bool               // whether a person said yes
	Key      SignedKey          // as in urgent message 8; aliases what was parsed
	Wrap     []byte             // likewise
	Number   uint32             // of the key that came

	// Generation is the highest of the path that the caller knows to be set up; 0: it does not say.
	Generation uint64
}

var errSignalType = &FormatError{"signal", ErrUnknown, "its type is not known"}

// AppendSignal appends s. It checks no limits.
func AppendSignal(dst []byte, s *Signal) []byte {
	l := layout{out: dst, writing: true}
	s.fields(&l)
	return l.out
}

// ParseSignal reads a signal. One of an unknown type is [ErrUnknown], and to be ignored.
func ParseSignal(b []byte) (*Signal, error) {
	l, s := layout{what: "signal", in: reader{b: b}}, new(Signal)
	if l.require(len(b) <= MaxSignal, ErrLimit, "at most 876 bytes"); l.err == nil {
		s.fields(&l)
	}
	if err := l.end(); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Signal) fields(l *layout) {
	l.uint8((*uint8)(&s.Type))
	switch s.Type {
	case SignalRinging, SignalDecline, SignalBusy, SignalCancel, SignalHold, SignalUnhold, SignalMute,
		SignalUnmute, SignalKeysWanted, SignalElsewhere:
	case SignalAlive:
		if l.writing && s.Generation > 0 || !l.writing && len(l.in.b) > 0 {
			l.generation(&s.Generation)
		}
	case SignalAnswer:
		l.require(0 < len(l.in.b) && len(l.in.b) <= MaxEntry, ErrInvalid, "an entry has 1 to 420 bytes")
		l.rest(&s.Entry)
	case SignalConfirm:
		l.bytes(s.Chosen[:])
	case SignalHangUp:
		l.uint8((*uint8)(&s.Reason))
	case SignalTransfer:
		l.bytes(s.Person[:])
		s.Consent.fields(l)
	case SignalTransferAck:
		l.bool(&s.Accepted)
	case SignalKey:
		s.Key.fields(l)
		l.rest(&s.Wrap)
		size := len(s.Wrap)
		l.require(size == WrapFresh || size == WrapRatcheted, ErrInvalid, "a wrap has 64 or 80 bytes")
	case SignalKeyReceived:
		l.uint32(&s.Number)
	case SignalConsentWanted:
		l.bytes(s.Person[:])
		l.bytes(s.Call[:])
	case SignalConsent:
		if l.bool(&s.Accepted); s.Accepted {
			s.Consent.fields(l)
		}
	default:
		if !l.writing && l.err == nil && !l.in.short {
			l.err = errSignalType
		}
	}
}

// bool is a byte that is 0 or 1.
func (l *layout) bool(v *bool) {
	var b uint8
	if *v {
		b = 1
	}
	l.uint8(&b)
	l.require(b <= 1, ErrInvalid, "yes is 1, no is 0")
	*v = b == 1
}
