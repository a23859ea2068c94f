package e2ee

import "crypto/sha256"

// DevelopmentKey returns a base key that everybody knows: the first 16 bytes
// of a SHA-256 over a sentence that says so. Whoever forwards or records frames
// sealed with it can listen. It stands in for sender keys until rooms have
// them, with epoch 0 (docs/protocol.md, section 7.1); this file and its test
// are deleted then, and nothing else of the package knows of them. Programs that use it must tell their
// users that the room is not private.
func DevelopmentKey() []byte {
	sum := sha256.Sum256([]byte("wzp development key: this room is not private"))
	return sum[:16]
}
