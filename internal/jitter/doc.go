// Package jitter is the jitter buffer and play-out of one received stream of speech: packets go in as the
// network delivers them, PCM comes out as the sound device asks for it. PCM is mono float32 at 48 kHz.
//
// The package is pure: it starts no goroutine and reads no clock. Every call carries the time of one
// monotonic clock of the caller, so every behaviour is tested in virtual time. Networking, keys, the codec
// and mixing of several streams live elsewhere; the codec is seen only through [Decoder].
//
//	Put(packet, now)                                  Read(dst, now)
//	      |                                                 ^
//	      v                                                 |
//	+--------------------- buffer ----+     +------------ Player ------------+
//	| place: counter, 16-bit time     |     | produce: decode | FEC |        |
//	|        -> order, media time     |     |   conceal | wait | silence     |
//	| list:  bounded, drop-oldest     | --> |        v                       |
//	| estimator: arrival - media time | A   | pcm FIFO: crossfade, WSOLA     |
//	|        -> target, schedule A    | --> |        v                       |
//	+---------------------------------+     | resampler: +-0.4 %, clock drift|
//	                                        +--------------------------------+
//
// # The schedule
//
// All times are counted in samples. Packet k holds the media from time m(k) on and arrives at a(k); x(k) =
// a(k) - m(k) is its transit time on an unknown offset. The estimator turns the recent x into one number, A:
// a frame is played in time when its packet's x <= A. A is the least x seen lately plus the target delay:
//
//	A      = base + target
//	target = max(q98(short), q98(long)) - base + guard     (see estimator)
//
// The reader is measured in the same way. A call at time r that brings the number of samples ever read to N
// has z = r - N, and the least z of the last two seconds tells how early this reader asks. With O = (media
// time at the output) - (samples read), all samples are there in time when O <= z - x, so the play-out aims
// at
//
//	O* = min z - A,    e = O* - O    (e > 0: behind, e < 0: ahead)
//
// which covers the length of the reads, reads in bursts, and any phase between packets and reads, without
// knowing them. On a clean path a frame leaves about one read length plus 1-2 ms after it came.
//
// # How e is closed
//
//	in silence          the next talkspurt starts at O*, or at once if behind
//	|e| small           resampling by at most 0.4 %: also what absorbs clock drift
//	e < -8 ms           one pitch period is repeated, speed down to 0.9
//	e > 12 ms           one pitch period is removed, speed 1.1 up to 1.5
//
// Speech that arrived is never thrown away to catch up; only the bound of the
// buffer (3.5 s) drops packets, the oldest first.
//
// # What a gap is
//
//	counters missing                       loss: FEC from the next packet, or concealment
//	no counter missing, media time jumped  silence of the talker
//	a silence marker                       silence from its timestamp on
//	nothing there at all                   wait: conceal, fade out by 120 ms, stay
//	                                       silent; what comes then is still played
//
// Locks, in the order in which they are taken:
//
//	Player.mu
package jitter
