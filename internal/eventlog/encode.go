package eventlog

import (
	"encoding/hex"
	"encoding/json"
	"strconv"
	"time"
)

const (
	timeLayout = "2006-01-02T15:04:05.000000Z" // RFC 3339, microseconds, UTC
	maxText    = 256                           // bytes of a text that are written
)

// appendLine appends e as a line: the fields in the order of docs/event-log.md, then a newline.
func appendLine(dst []byte, e *Event) []byte {
	dst = append(dst, `{"ts":"`...)
	dst = time.UnixMicro(e.Time).UTC().AppendFormat(dst, timeLayout)
	dst = append(dst, '"')
	dst = appendField(dst, "event", string(e.Kind))
	if e.Room != "" {
		dst = appendField(dst, "room", e.Room)
	} else if e.RoomHash != ([8]byte{}) {
		dst = append(hex.AppendEncode(append(appendName(dst, "room_hash"), '"'), e.RoomHash[:]), '"')
	}
	if e.Src != (MemberID{}) {
		dst = append(hex.AppendEncode(append(appendName(dst, "src"), '"'), e.Src[:]), '"')
		if e.Kind.packet() {
			dst = strconv.AppendUint(appendName(dst, "stream"), uint64(e.Stream), 10)
			dst = strconv.AppendUint(appendName(dst, "epoch"), uint64(e.Epoch), 10)
			dst = strconv.AppendUint(appendName(dst, "seq"), e.Seq, 10)
		}
	}
	dst = appendNumber(dst, "len", uint64(max(e.Len, 0)))
	dst = appendNumber(dst, "to_count", uint64(max(e.ToCount, 0)))
	dst = appendID(dst, "peer", e.Peer)
	dst = appendField(dst, "reason", e.Reason)
	dst = appendField(dst, "action", e.Action)
	dst = appendNumber(dst, "participants", uint64(max(e.Members, 0)))
	dst = appendID(dst, "relay", e.Relay)
	dst = appendField(dst, "name", e.Name)
	dst = appendNumber(dst, "count", e.Count)
	if e.Who != ([4]byte{}) {
		dst = append(hex.AppendEncode(append(appendName(dst, "who"), '"'), e.Who[:]), '"')
	}
	dst = appendNumber(dst, "hops", uint64(max(e.Hops, 0)))
	return append(dst, '}', '\n')
}

// appendName appends the name of a field, which is not the first.
func appendName(dst []byte, name string) []byte {
	return append(append(append(dst, `,"`...), name...), `":`...)
}

// appendNumber appends a field with a number, if it is not 0.
func appendNumber(dst []byte, name string, value uint64) []byte {
	if value == 0 {
		return dst
	}
	return strconv.AppendUint(appendName(dst, name), value, 10)
}

// appendID appends a field with a relay's id, if there is one.
func appendID(dst []byte, name string, id PeerID) []byte {
	if id == (PeerID{}) {
		return dst
	}
	return append(appendPeer(append(appendName(dst, name), '"'), id), '"')
}

// appendField appends a field with a text, if it is not empty.
func appendField(dst []byte, name, value string) []byte {
	if value == "" {
		return dst
	}
	return appendText(appendName(dst, name), value)
}

// appendText appends a JSON string. What is not UTF-8 is replaced.
func appendText(dst []byte, text string) []byte {
	if len(text) > maxText {
		text = text[:maxText]
	}
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, err := json.Marshal(text)
			if err != nil {
				return append(dst, `""`...) // strings always marshal
			}
			return append(dst, quoted...)
		}
	}
	return append(append(append(dst, '"'), text...), '"')
}
