// Package names is the one rule for names that people type and see: of rooms, members and hosts
// (docs/protocol.md, section 5.2).
//
//	typed ──> Room, RoomPattern, Member, Host ──> the name, or what is wrong with it
//	shown <── Quote, EscapeHidden, ShellQuote     what cannot be seen is spelled out
//	Fold ── what two names have in common that people take for the same
//
// What a name means, who has it, and what it looks like on the wire is not here. The page has the same rule;
// both are tested with testdata/names.json.
package names
