package main

import "strings"

// listHead begins the list of a package's locks in its document:
//
//	Locks, in the order in which they are taken:
//
//		Room.telling  (I/O) one tells the members at a time
//		Room.mu
//
// A lock of a package comes before those of the packages that it imports, too; if it calls another one by an
// interface, the head names that ("taken, before those of internal/link:"). A lock with (I/O) is there to
// have one goroutine at a time send, write or ask something, and guards nothing that others need.
const listHead = "Locks, in the order in which they are taken"

// parseList returns the locks that a package's document lists, and before which other packages' they come.
func parseList(doc string) (locks []lock, before []string) {
	_, rest, found := strings.Cut(doc, listHead)
	if !found {
		return nil, nil
	}
	head, rest, _ := strings.Cut(rest, ":")
	if _, names, named := strings.Cut(head, "before those of "); named {
		before = strings.Split(names, ", ")
	}
	for line := range strings.Lines(rest) {
		switch name, comment, _ := strings.Cut(strings.TrimSpace(line), " "); {
		case strings.HasPrefix(line, "\t") && name != "":
			io := strings.HasPrefix(strings.TrimSpace(comment), "(I/O)")
			locks = append(locks, lock{name: name, io: io})
		case len(locks) > 0 && name != "":
			return locks, before
		}
	}
	return locks, before
}

// doesIO are the functions in which a lock that is not marked must not be held, by package, and what they do.
var doesIO = map[string]string{
	"udp.mmsgSender.send":         "sealed packets",
	"udp.plainSender.send":        "sealed packets",
	"udp.quicConn.WriteTo":        "packets of QUIC",
	"udp.quicUDPConn.WriteMsgUDP": "packets of QUIC",
	"identity.readFile":           "a file",
	"identity.replaceFile":        "a file",
	"relay.certificateFiles.load": "a file",
	"eventlog.file.write":         "the event log",
}
