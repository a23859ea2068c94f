package wire

import "encoding/binary"

// UrgentMessage is what travels in an urgent frame: a pointer to one of the structs that have a file of their
// own here, such as *[SenderKey] or *[FederationRoom]. No other package can add one.
type UrgentMessage interface {
	kind() UrgentKind
	// fields names the message's fields to a layout, which reads or writes them.
	fields(*layout)
}

// Append appends an urgent message, without the frame. It checks no limits.
func Append(dst []byte, m UrgentMessage) []byte {
	l := layout{out: dst, writing: true}
	m.fields(&l)
	return l.out
}

// Size is how many bytes [Append] appends. A frame takes [MaxUrgent].
func Size(m UrgentMessage) int {
	l := layout{writing: true, counting: true}
	m.fields(&l)
	return l.size
}

// Parse reads an urgent message. The result does not alias it, but for what a type's comment names. Layout,
// limits and texts were checked, but no signatures, and of member entries only their lengths.
func Parse[T any, M interface {
	*T
	UrgentMessage
}](message []byte) (T, error) {
	m := new(T)
	l := layout{what: M(m).kind().String(), in: reader{b: message}}
	if l.require(len(message) <= MaxUrgent, ErrLimit, "a message has at most 1024 bytes"); l.err == nil {
		M(m).fields(&l)
	}
	if err := l.end(); err != nil {
		return *new(T), err
	}
	return *m, nil
}

// layout reads or writes the fields of one urgent message. The message names them in the order in which they
// travel, so that one list serves both directions. Writing checks nothing. When reading, only the first error
// counts, and fields that are not there are zero.
type layout struct {
	what     string // for errors
	in       reader // what is left to read
	out      []byte // what is written so far
	writing  bool
	counting bool // writing, but to know the size only
	size     int
	err      error
}

// require fails unless ok. That a field is missing goes before whatever is wrong with its zero value.
func (l *layout) require(ok bool, err error, detail string) {
	switch {
	case l.writing || l.err != nil:
	case l.in.short:
		l.err = &FormatError{l.what, ErrTruncated, ""}
	case !ok:
		l.err = &FormatError{l.what, err, detail}
	}
}

// end fails if there is more than was read, or less.
func (l *layout) end() error {
	l.require(len(l.in.b) == 0, ErrInvalid, "goes on after its last field")
	return l.err
}

// own makes what is read from here on a copy, for messages that are kept longer than their packet.
func (l *layout) own() {
	if !l.writing {
		l.in.b = append([]byte(nil), l.in.b...)
	}
}

// put writes bytes.
func (l *layout) put(p ...byte) {
	if l.counting {
		l.size += len(p)
	} else {
		l.out = append(l.out, p...)
	}
}

// uint is a number of n bytes.
func (l *layout) uint(v uint64, n int) uint64 {
	if !l.writing {
		return l.in.uint(n)
	}
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], v)
	l.put(b[8-n:]...)
	return v
}

func (l *layout) uint8(v *uint8)   { *v = uint8(l.uint(uint64(*v), 1)) }
func (l *layout) uint32(v *uint32) { *v = uint32(l.uint(uint64(*v), 4)) }
func (l *layout) uint64(v *uint64) { *v = l.uint(*v, 8) }

func (l *layout) varint(v *uint64) {
	if l.writing {
		var b [8]byte
		l.put(appendVarint(b[:0], *v)...)
	} else {
		*v = l.in.varint()
	}
}

// varint32 is a varint below 2^32.
func (l *layout) varint32(v *uint32) {
	long := uint64(*v)
	l.varint(&long)
	l.require(long>>32 == 0, ErrLimit, "a count must fit 32 bits")
	*v = uint32(long)
}

// bytes are as many as p has.
func (l *layout) bytes(p []byte) {
	if l.writing {
		l.put(p...)
	} else {
		copy(p, l.in.take(len(p)))
	}
}

// slice is n bytes, which alias what is read.
func (l *layout) slice(p *[]byte, n int) {
	if l.writing {
		l.put(*p...)
	} else {
		*p = l.in.take(n)
	}
}

// rest is all that is left, which aliases what is read.
func (l *layout) rest(p *[]byte) { l.slice(p, len(l.in.b)) }

// text is a text with its length in one byte, which check is asked about when it was read.
func (l *layout) text(what string, s *string, check func(what, s string) error) {
	n := uint8(len(*s))
	l.uint8(&n)
	if l.writing {
		l.put([]byte(*s)...)
		return
	}
	*s = string(l.in.take(int(n)))
	if l.require(true, nil, ""); l.err == nil {
		l.err = check(what, *s)
	}
}

// part names one relay's part of one room.
func (l *layout) part(home *RelayID, room *RoomHash) {
	l.bytes(home[:])
	l.bytes(room[:])
}

// entries are member entries to the end, each with its length.
func (l *layout) entries(list *[][]byte) {
	if l.writing {
		for _, entry := range *list {
			n := uint64(len(entry))
			l.varint(&n)
			l.put(entry...)
		}
		return
	}
	for len(l.in.b) > 0 && l.err == nil {
		n := l.in.varint()
		l.require(n <= uint64(len(l.in.b)), ErrTruncated, "")
		l.require(0 < n && n <= MaxEntry, ErrInvalid, "an entry has 1 to 420 bytes")
		if l.err == nil {
			*list = append(*list, l.in.take(int(n)))
		}
	}
}

// list are n elements. When reading, the caller has checked that n is no more than a message can hold.
func list[T any](l *layout, s *[]T, n uint64, field func(*T)) {
	if !l.writing && l.err == nil && n > 0 {
		*s = make([]T, n)
	}
	for i := range *s {
		field(&(*s)[i])
	}
}
