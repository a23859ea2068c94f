package jitter

import "time"

// Stats describes a stream since its first Player was made. Counters never fall,
// except Lost, when a packet that was missing comes after all.
type Stats struct {
	Received  uint64 // packets given to Put, markers and duplicates included
	Lost      uint64 // packets that never came, by their counters; markers included
	Late      uint64 // frames that came after their time and were discarded
	Duplicate uint64 // packets that came twice
	Dropped   uint64 // frames dropped, oldest first, because the buffer was full
	Invalid   uint64 // packets with an impossible duration or payload length
	Resets    uint64 // new time lines: the talker restarted or was away for 30 s

	Played      uint64 // frames decoded
	Recovered   uint64 // frames rebuilt from in-band FEC
	Concealed   uint64 // frames filled by concealment while the talker was talking
	Undecodable uint64 // frames that the decoder refused; they are concealed too

	Accelerated uint64 // pitch periods removed by time scaling
	Decelerated uint64 // pitch periods repeated by time scaling

	Target    time.Duration // what play-out aims to add to the fastest packet: the target delay and one read
	Delay     time.Duration // from Put of a frame to its first sample being played, mean of the last 16 or so
	LastDelay time.Duration // the same of the last frame
	Jitter    time.Duration // interarrival jitter, RFC 3550 section 6.4.1
}
