// Package e2ee encrypts media between the members of a room, so that relays
// forward what they cannot hear. It is SFrame (RFC 9605) as
// docs/protocol.md, section 7.1, uses it.
//
// Here lives what needs a media key: the cipher suites, the SFrame header,
// keys, the sender's counter and the receiver's replay window. Not here: what a
// frame looks like on the wire and how CTR is rebuilt from its low 16 bits
// (package wire), sealed packets (internal/seal, a hop's own encryption around
// this one), codecs. No package of the relay may import this one.
//
//	talker                                        listener
//
//	codec packet with its timestamp               codec packet with its timestamp
//	     |                                             ^
//	     v                                             |  [ReplayWindow.Accept]: once only
//	[Sender.Seal]: takes the next CTR             [Key.Open]: tag first, then AES-CTR
//	     |    \                                        ^    ^
//	     |     CTR -> wire: alias, low 16 bits         |    KID, CTR <- wire: rebuilt
//	     v                                             |
//	ciphertext || tag  --- relays, unchanged --->  ciphertext || tag
//
// Inside Seal and Open, for one KID and CTR:
//
//	base key, KID, suite --HKDF--> encryption key, authentication key, salt   (once, [NewKey])
//	KID, CTR             --------> SFrame header, the additional data         (it does not travel)
//	salt XOR CTR         --------> nonce
//	nonce || block count --AES---> key stream XOR plaintext = ciphertext
//	lengths, nonce, header, metadata, ciphertext --HMAC-SHA256--> tag, its first 8 (or 4) bytes
//
// The header is rebuilt by both ends instead of being sent: what is not the
// KID and CTR that the sender used does not authenticate.
//
// A [Key], a [Sender] and a [ReplayWindow] are each for one goroutine at a
// time; they hold no locks and start nothing. Sealing and opening do not
// allocate when dst has room.
package e2ee
