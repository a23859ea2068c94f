// Package simnet is the network lab: paths that lose, delay, reorder, duplicate and throttle UDP
// packets, with the same decisions every time for the same seed.
//
// A [Profile] describes one direction of a path and a [Channel] decides, packet by packet, what
// becomes of it. Channel is pure: it is told the time and the size, touches no clock and no
// socket, and never sees a payload. Two carriers use it:
//
//	            Channel, in this order                                    Channel's verdict
//	packet -> [ blocked? -> bottleneck (rate, -> lost? -> delay, jitter, ] -> lost, or arrives at
//	                         queue)                       reorder, copy        time t, n copies
//
//	Network  conns in one process, virtual or real time, for tests
//
//	  Conn.WriteTo ---> Channel (host -> host) ---> schedule ---> receive queue ---> Conn.ReadFrom
//	                                                    \-> Tap, for every packet
//
//	Proxy    real sockets, real time, behind "wzp netsim"
//
//	  client <---> listening socket     Channel up, per client        upstream socket <---> target
//	                              \---> schedule ------------------> /     (one per client)
//	                               <--- schedule <--- Channel down
//
// The bottleneck stands before the loss, as it does on a radio link: a packet that gets lost has
// used up its air time all the same.
//
// The package knows nothing of what the packets mean. It must import no other package of this
// module, so that every one of them can be tested over it.
//
// Locks, in the order in which they are taken:
//
//	Network.mu
//	Proxy.mu
package simnet
