// Package udp is the one UDP port of a relay or client: QUIC and sealed packets share its sockets.
//
// Here live the sockets and their options, batched receiving and sending (recvmmsg and sendmmsg on Linux, one
// call a packet elsewhere), the split by first byte, and the packet connection that quic-go reads from. What
// a sealed packet means, who may send one, and every decision about where to send belong to the callers; this
// package imports none of theirs.
//
//	                        peers
//	                          |          one port; with several sockets the kernel picks
//	         +----------------+----+     one by the hash of both addresses
//	     socket 0     ...      socket n-1
//	         |                     |                          one loop of Serve a socket
//	         | recvmmsg, up to 64  |
//	         +----------+----------+
//	  first byte        |        first byte
//	  0x00-0x3f         |        0x40-0xff (RFC 9443, section 3)
//	      +-------------+-------------+
//	      v                           v copied
//	Handler(batch, packet, path)    queue of 512, drops the newest ---> QUIC().ReadBatch ---> quic-go
//	      |                                                                                     |
//	      v                                                                                     v
//	Batch, up to 64 packets                                                         QUIC().WriteMsgUDP
//	      | sendmmsg on the loop's own socket                                                   |
//	      v                                                                                     v
//	    peers                                                                         socket 0, peers
//
// The way of a sealed packet, in and out, takes no lock shared between sockets and allocates nothing.
// Whatever cannot be delivered is dropped and counted in Stats: media never waits.
//
// Locks, in the order in which they are taken:
//
//	queue.mu
package udp
