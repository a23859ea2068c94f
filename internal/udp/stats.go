package udp

import "sync/atomic"

// Stats counts what a Mux did since it was made. Bytes are UDP payload.
type Stats struct {
	SealedInPackets, SealedInBytes   uint64 // given to the Handler
	SealedOutPackets, SealedOutBytes uint64 // taken by the kernel

	QUICIn      uint64 // put into quic-go's queue
	QUICOut     uint64 // sent by quic-go; what it sends with one call counts as one packet
	QUICDropped uint64 // QUIC packets dropped because that queue was full
	// QUIC packets dropped because they were larger than MaxPacket or than the reader's buffer
	Truncated uint64
	Oversized uint64 // sealed packets dropped because they were larger than MaxPacket
	// ReceiveErrors are failed receive calls (on some systems an earlier packet's ICMP error ends up here)
	// and packets whose source address could not be understood.
	ReceiveErrors uint64

	SendDropped uint64 // packets the kernel had no buffer for (EAGAIN, ENOBUFS)
	SendErrors  SendErrors
}

// SendErrors counts packets that the kernel refused for their destination, by reason.
type SendErrors struct {
	Unreachable uint64 // no route, host or network down, or an address family that this socket cannot send to
	Refused     uint64 // nothing listens there
	Denied      uint64 // a firewall rule or policy of this host forbids it
	TooBig      uint64 // larger than the interface's MTU or MaxPacket
	Other       uint64
}

// sendError is why a packet was not sent; it indexes counters.sendErrors.
type sendError int

const (
	sendNoBuffer sendError = iota // counted as SendDropped
	sendUnreachable
	sendRefused
	sendDenied
	sendTooBig
	sendOther
	sendErrorKinds
)

// counters are those of one socket. Its loop adds to them once a batch, anyone may read.
type counters struct {
	sealedIn, sealedInBytes   atomic.Uint64
	sealedOut, sealedOutBytes atomic.Uint64
	truncated, oversized      atomic.Uint64
	receiveErrors             atomic.Uint64
	sendErrors                [sendErrorKinds]atomic.Uint64
}

func (c *counters) addTo(s *Stats) {
	s.SealedInPackets += c.sealedIn.Load()
	s.SealedInBytes += c.sealedInBytes.Load()
	s.SealedOutPackets += c.sealedOut.Load()
	s.SealedOutBytes += c.sealedOutBytes.Load()
	s.Truncated += c.truncated.Load()
	s.Oversized += c.oversized.Load()
	s.ReceiveErrors += c.receiveErrors.Load()
	s.SendDropped += c.sendErrors[sendNoBuffer].Load()
	s.SendErrors.Unreachable += c.sendErrors[sendUnreachable].Load()
	s.SendErrors.Refused += c.sendErrors[sendRefused].Load()
	s.SendErrors.Denied += c.sendErrors[sendDenied].Load()
	s.SendErrors.TooBig += c.sendErrors[sendTooBig].Load()
	s.SendErrors.Other += c.sendErrors[sendOther].Load()
}
