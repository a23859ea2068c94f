package room

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/link"
	"github.com/wzp-voice/wzp/internal/wire"
)

// epoch is when the tests begin: any time will do.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// seconds returns a time that long after epoch.
func seconds(s float64) time.Time { return epoch.Add(time.Duration(s * float64(time.Second))) }

// testTx is what media is sent with.
var testTx = new(link.Tx)

// frame is what a receiver was sent.
type frame struct {
	alias       uint16
	short, long string
	tx          *link.Tx
}

var errFull = errors.New("full")

// receiver is a Receiver that notes what it is sent. It is safe for concurrent use.
type receiver struct {
	full  atomic.Bool // SendUrgent fails
	gone  atomic.Bool // nothing was heard of it for long
	media atomic.Int64

	mu     sync.Mutex // guards what follows
	frames []frame
	known  map[uint16]bool
	news   []urgent
	acks   []func(bool) // of what SendUrgentThen took
}

func (r *receiver) SendMedia(tx *link.Tx, alias uint16, short, long []byte) {
	r.media.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.frames = append(r.frames, frame{alias, string(short), string(long), tx})
}

func (r *receiver) SetAliasKnown(alias uint16, known bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known == nil {
		r.known = make(map[uint16]bool)
	}
	r.known[alias] = known
}

func (r *receiver) knows(alias uint16) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.known[alias]
}

func (r *receiver) SendUrgent(kind wire.UrgentKind, body []byte) error {
	if r.full.Load() {
		return errFull
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.news = append(r.news, urgent{kind: kind, body: body})
	return nil
}

func (r *receiver) SendUrgentThen(kind wire.UrgentKind, body []byte, done func(bool)) error {
	if err := r.SendUrgent(kind, body); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.acks = append(r.acks, done)
	return nil
}

func (r *receiver) ReceivedWithin(time.Duration) bool { return !r.gone.Load() }

// ack acknowledges all that waits for it, or has the session end without.
func (r *receiver) ack(acked bool) {
	r.mu.Lock()
	acks := r.acks
	r.acks = nil
	r.mu.Unlock()
	for _, done := range acks {
		done(acked)
	}
}

// read returns what came since the last read.
func (r *receiver) read() []frame {
	r.mu.Lock()
	defer r.mu.Unlock()
	frames := r.frames
	r.frames = nil
	return frames
}

// told returns the news since the last call, in words and sorted: "+" and "-" with ids, "refetch", and of
// keys what keyWord says.
func (r *receiver) told(t testing.TB) (words []string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, u := range r.news {
		if len(u.body) > wire.MaxUrgent {
			t.Errorf("an urgent message of %d bytes", len(u.body))
		}
		switch u.kind {
		case wire.UrgentMembersJoined:
			entries, err := wire.ParseMembersJoined(u.body)
			if err != nil {
				t.Error(err)
			}
			for _, e := range entries {
				words = append(words, "+"+wire.EntryID(e).String())
			}
		case wire.UrgentMembersLeft:
			ids, err := wire.ParseMembersLeft(u.body)
			if err != nil {
				t.Error(err)
			}
			for _, id := range ids {
				words = append(words, "-"+id.String())
			}
		case wire.UrgentRefetch:
			words = append(words, "refetch")
		default:
			words = append(words, keyWord(t, u))
		}
	}
	r.news = nil
	slices.Sort(words)
	return words
}

// quiet forgets what was told so far.
func (r *receiver) quiet(t testing.TB) {
	t.Helper()
	r.told(t)
}

// guest is a member with its receiver.
type guest struct {
	*Member
	ears *receiver
}

// house makes members.
type house struct {
	t     testing.TB
	rooms *Rooms
	count int
}

func newHouse(t testing.TB) *house {
	return &house{t: t, rooms: NewRooms(Limits{Rooms: 100, Members: 4000, MemberRate: 32_000,
		RoomRate: 250_000})}
}

// entry returns the n-th of as many entries as are wanted, as long as real ones. The rooms do not read them.
func entry(n int) []byte {
	b := make([]byte, 200)
	binary.BigEndian.PutUint64(b, uint64(n))
	return b
}

// join adds a new member to a room.
func (h *house) join(name string) *guest {
	h.t.Helper()
	h.count++
	ears := new(receiver)
	m, err := h.rooms.Join(name, entry(h.count), Origin{}, ears, epoch)
	if err != nil {
		h.t.Fatal(err)
	}
	return &guest{m, ears}
}

// joinMany adds n members.
func (h *house) joinMany(name string, n int) []*guest {
	h.t.Helper()
	list := make([]*guest, n)
	for i := range list {
		list[i] = h.join(name)
	}
	return list
}

// bind makes a member's stream, which must succeed.
func (g *guest) bind(t testing.TB, stream, epoch uint8, now time.Time) *Stream {
	t.Helper()
	st := g.Bind(wire.MakeKID(g.ID, stream, epoch), now)
	if st == nil {
		t.Fatalf("%v may not make stream %d/%d", g.ID, stream, epoch)
	}
	return st
}

func plus(g *guest) string  { return "+" + g.ID.String() }
func minus(g *guest) string { return "-" + g.ID.String() }

// wantTold compares news.
func (g *guest) wantTold(t testing.TB, what string, want ...string) {
	t.Helper()
	slices.Sort(want)
	if got := g.ears.told(t); !slices.Equal(got, want) {
		t.Errorf("%s: told %v, want %v", what, got, want)
	}
}

func media(ctr uint64) *wire.Media {
	return &wire.Media{CTR: ctr, Ciphertext: fmt.Appendf(nil, "ciphertext %d", ctr)}
}

// scratch is memory for Forward.
func scratch() []byte { return make([]byte, 0, wire.MaxPlaintext) }
