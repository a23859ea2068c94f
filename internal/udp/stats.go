package udp

import "sync/atomic"

// Stats counts what a Mux did since it was made. Bytes are UDP payload.
type Stats struct {
	SealedInPackets, SealedInBytes   uint64 // given to the Handler
	SealedOutPackets, SealedOutBytes uint64 // taken by the kernel

	QUICIn, QUICDropped uint64 // put into quic-go's queue, and dropped because that was full
	// Oversized are packets dropped because they were larger than MaxPacket, and those of QUIC that were cut
	// because they were larger than the reader's buffer.
	Oversized uint64
	// ReceiveErrors are failed receive calls (on some systems an earlier packet's ICMP error ends up here)
	// and packets whose source address could not be understood.
	ReceiveErrors uint64

	SendDropped uint64 // packets the kernel had no buffer for
	SendErrors  uint64 // packets that are larger than MaxPacket, or that the kernel refused for where they go
}

// counters are those of one socket. Anyone may add to them, and read.
type counters struct {
	sealedIn, sealedInBytes   atomic.Uint64
	sealedOut, sealedOutBytes atomic.Uint64
	oversized, receiveErrors  atomic.Uint64
	sendDropped, sendErrors   atomic.Uint64
}

func (c *counters) addTo(s *Stats) {
	s.SealedInPackets += c.sealedIn.Load()
	s.SealedInBytes += c.sealedInBytes.Load()
	s.SealedOutPackets += c.sealedOut.Load()
	s.SealedOutBytes += c.sealedOutBytes.Load()
	s.Oversized += c.oversized.Load()
	s.ReceiveErrors += c.receiveErrors.Load()
	s.SendDropped += c.sendDropped.Load()
	s.SendErrors += c.sendErrors.Load()
}
