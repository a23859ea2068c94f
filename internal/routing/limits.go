package routing

import (
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

// limits bounds what a table keeps, whatever peers say.
type limits struct {
	parts    int // parts that one peer may announce, or want
	members  int // of one part
	fromPeer int // members that came from one peer
	total    int // members of all parts but our own
	hops     int // relays in a path, at most wire.MaxHops

	news        int // messages of one part that wait for what they change
	newsTotal   int // in all parts, 1 KiB each
	fetches     int // lists under way from one peer
	places      int // members of lists under way from one peer
	placesTotal int // from all
}

// defaultLimits returns the limits of docs/protocol.md, section 10, and those that only this table knows.
func defaultLimits() limits {
	return limits{parts: 1000, members: 2000, fromPeer: 25_000, total: 50_000, hops: 8, news: 64,
		newsTotal: 4096, fetches: 4, places: 4000, placesTotal: 16_000}
}

// Times of the table.
const (
	gapWait        = 200 * time.Millisecond // for a version that may be on its way
	fetchPause     = time.Second            // between two fetches of a part from one peer; doubles
	fetchPauseMost = 30 * time.Second
	fetchSilence   = 3 * time.Second        // without another piece, a list is given up
	fetchMost      = 2 * time.Minute        // a list takes at most
	servePause     = 900 * time.Millisecond // a peer that asks again sooner gets no answer
	serveSame      = 10 * time.Second       // the same for a version that it was sent: it is on its way
	spacePause     = 30 * time.Second       // until members who found no space are asked for again
	unwantLate     = time.Second            // the former best peer is told when the new one's media flows
	formerFor      = 2 * time.Second        // media of the former best peer is taken for so long
	lingerFor      = time.Second            // members whose route was good stay without one
	settleFor      = 5 * time.Second        // after which a home that says no more of its parts has told all
	settleMost     = time.Minute            // the same however long it goes on
	askPause       = 10 * time.Second       // until a peer that was refused something is asked again; doubles
	askPauseMost   = 5 * time.Minute
	sweepPause     = time.Second
	lateFor        = 10 * time.Second // a version this long out of date is not just late: somebody replays it
	deadFor        = time.Minute      // serials of dead adjacencies are remembered
	tellAllPause   = time.Second      // between two tellings of everything
)

// What a Problem is.
const (
	problemMalformed = "malformed" // it cannot be parsed
	problemPath      = "path"      // a path that cannot be
	problemForged    = "forged"    // a record that its home did not sign, or two for one version
	problemReplay    = "replay"    // a version from the past
	problemContent   = "content"   // members that are not those of the record
	problemUnasked   = "unasked"   // members that were not asked for
	problemLimit     = "limit"     // more than is allowed
)

// refusal is why something of a peer's is not taken.
type refusal struct{ what, reason string }

var (
	refusedFirst  = &refusal{problemPath, "the path does not begin with the peer"}
	refusedLast   = &refusal{problemPath, "the path does not end with the record's home"}
	refusedLoop   = &refusal{problemPath, "our own id is in the path"}
	refusedTwice  = &refusal{problemPath, "a relay is in the path twice"}
	refusedHops   = &refusal{problemLimit, "the path has too many hops"}
	refusedHome   = &refusal{problemForged, "another relay or room has the same id"}
	refusedParts  = &refusal{problemLimit, "the peer announces or wants too many rooms"}
	refusedMany   = &refusal{problemLimit, "too many members in one room of one relay"}
	refusedSpace  = &refusal{problemLimit, "too many members in all"}
	refusedPlaces = &refusal{problemLimit, "too many members are being fetched"}
	refusedSigned = &refusal{problemForged,
		"the record's signature does not verify: the peer made it up or altered it"}
	refusedOther  = &refusal{problemForged, "the home signed two records for one version"}
	refusedReplay = &refusal{problemReplay, "the record is older than what is known: it was replayed"}
	refusedDigest = &refusal{problemContent, "the members are not those that the home signed"}
	refusedEntry  = &refusal{problemContent,
		"an entry's signature does not verify, though the home signed the list"}
	refusedStranger = &refusal{problemContent,
		"an entry is for another room or relay, though the home signed the list"}
	refusedUnasked = &refusal{problemUnasked, "members came that were not asked for"}
	refusedTotal   = &refusal{problemContent, "the pieces of a list contradict each other"}
)

func (t *Table) refuse(p wire.RelayID, r *refusal) { t.do(Problem{p, r.what, r.reason}) }
