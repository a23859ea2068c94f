// Package e2ee encrypts media between the members of a room, so that relays forward what they cannot hear:
// SFrame (RFC 9605) with a sender key of each talker, as docs/protocol.md, sections 7.1 to 7.4, uses it.
//
// Here lives what needs a media key or makes one: cipher suites, the SFrame header, keys and replay windows;
// the sender keys of a [Talker] and who gets them when, and those that a [Listener] holds; the room's invite
// [Secret]; and what members compare to know that they see the same room: [Views] on their own,
// [SafetyNumber] by people. Not here: what a message looks like on the wire and how CTR is rebuilt from its
// low 16 bits (package wire), when messages travel and come again (internal/link), sealed packets
// (internal/seal, a hop's own encryption around this one), who is in the room (the member list is the
// caller's), codecs. No package of the relay may import this one.
//
// The talker's side. A key goes to every member inside, wrapped to the join key
// that its entry names; a join moves it on by a ratchet step, a leave replaces it:
//
//	members, joins, leaves                         codec packet with its timestamp
//	     |                                              |
//	     v                                              v
//	[Talker.Step]: fresh key, or ratchet -- W --> [Sealer.Seal]: takes the next CTR
//	     |                                              |    \
//	     v                                              |     KID, CTR -> wire: alias, low 16 bits
//	[Distribution]: one header, signed;                 v
//	  a wrap for each recipient                    ciphertext || tag
//	     |                                              |
//	     '--> urgent messages 6 and 7, by the relay     '--> media frames, by the relay, unchanged
//
// The listener's side:
//
//	urgent message 8, by the relay                 ciphertext || tag    KID, CTR <- wire: rebuilt
//	     |                                              |                |
//	     v                                              v                v
//	[Listener.Accept]: signature, number,  -- W --> [Listener.Open]: tag first, then AES-CTR;
//	  wrap, hash                                        |             ratchets when the KID is ahead
//	     |                                              v
//	     v                                         [Listener.AcceptFrame]: once only
//	member digest -> [Views.Theirs]: do we              |
//	  see the same room?                                v
//	                                               codec packet with its timestamp
//
// From one key to the next, to a frame:
//
//	16 random bytes = W[0] --ratchet--> W[1] --ratchet--> W[2] ... W[15], then a fresh one
//	W[s], in a room with an invite secret its media key, too --HKDF--> base key
//	base key, KID, suite --HKDF--> encryption key, authentication key, salt   (once, [NewKey])
//	KID, CTR             --------> SFrame header, the additional data         (it does not travel)
//	salt XOR CTR         --------> nonce
//	nonce || block count --AES---> key stream XOR plaintext = ciphertext
//	lengths, nonce, header, ciphertext --HMAC-SHA256--> tag, its first 8 (or 4) bytes
//
// The header is rebuilt by both ends instead of being sent: what is not the
// KID and CTR that the sender used does not authenticate.
//
// The two ends of a call (sections 14.3 and 14.4): the caller seals an [Offer] to the [StayKey] of a reach
// record, and from then on the two talk by [CallChannel], whose keys are exported from what sealed the offer:
//
//	[SealOffer] ── sealed offer, by relays ──> [StayKey.OpenOffer]: signed entry, room, proof, path, time
//	     |                                              |
//	[CallChannel.Seal], Open <── call messages ──> Open, Seal: each counter once
//
// Nothing here starts a goroutine or reads a clock: whoever calls says what time it is, and is told when to
// call again. Sealing and opening do not allocate when dst has room, but for a frame that brings a new key.
// Types that hold secrets print as a word, whatever prints them.
//
// Files are named as those of web/e2ee that do the same work.
//
// Locks, in the order in which they are taken:
//
//	Listener.accepting
//	Listener.mu
//	Talker.mu
package e2ee
