package room

import (
	"testing"

	"github.com/wzp-voice/wzp/wire"
)

// crowdStreams has n new members of a home make maxStreams streams each, and returns those that they got.
func (h *house) crowdStreams(home wire.RelayID, n int, at float64) (streams []*Stream) {
	for range n {
		ghost := h.joinRemote("r", home)
		for i := range maxStreams {
			if st := ghost.Bind(wire.MakeKID(ghost.ID, uint8(i), 0), seconds(at)); st != nil {
				streams = append(streams, st)
			}
		}
	}
	return streams
}

// TestRemoteStreamsLeaveAliases wants local members to have aliases, and other homes, however many streams a peer makes up.
func TestRemoteStreamsLeaveAliases(t *testing.T) {
	h := newHouse(t)
	if n := len(h.crowdStreams(homeB, 520, 0)); n != homeAliases {
		t.Errorf("a home has %d aliases, want %d", n, homeAliases)
	}
	h.joinRemote("r", homeC).bind(t, 0, 0, epoch)
	if n := len(h.crowdStreams(homeC, 200, 0)); n != homeAliases-1 {
		t.Errorf("another home has %d more aliases, want %d", n, homeAliases-1)
	}
	if n := len(h.crowdStreams(wire.RelayID{4}, 1, 0)); n != 0 {
		t.Errorf("a third home has %d aliases, though half of all are taken", n)
	}
	for range 250 {
		a := h.join("r")
		for i := range maxStreams {
			a.bind(t, uint8(i), 0, epoch)
		}
	}
}

// TestRestingRemoteAliasesCount wants a peer to have no more aliases by changing streams fast.
func TestRestingRemoteAliasesCount(t *testing.T) {
	h := newHouse(t)
	var ghosts []*guest
	for range 512 {
		ghosts = append(ghosts, h.joinRemote("r", homeB))
	}
	for epoch := range uint8(bindBurst) {
		for _, g := range ghosts {
			g.Bind(wire.MakeKID(g.ID, 0, epoch), seconds(0))
		}
	}
	a := h.join("r")
	if st := a.bind(t, 0, 0, epoch); st.alias > homeAliases {
		t.Errorf("the local member's alias is %d", st.alias)
	}
}

// TestIdleRemoteStreamsGiveWay wants remote streams that are silent to leave their aliases to others, and to come back.
func TestIdleRemoteStreamsGiveWay(t *testing.T) {
	h := newHouse(t)
	streams := h.crowdStreams(homeB, homeAliases/maxStreams, 0)
	streams[0].Heard(seconds(10))
	other := h.joinRemote("r", homeB)
	kid := wire.MakeKID(other.ID, 0, 0)
	if other.Bind(kid, seconds(29)) != nil {
		t.Fatal("there was an alias left")
	}
	other.Bind(kid, seconds(30)) // the freed ones rest first
	if streams[0].Dropped() || !streams[1].Dropped() || !streams[len(streams)-1].Dropped() {
		t.Error("not those that were silent were dropped")
	}
	if n := len(streams[1].member.streams); n != 0 && streams[1].member != streams[0].member {
		t.Errorf("the member holds %d dropped streams", n)
	}
	if other.Bind(kid, seconds(35)) == nil {
		t.Error("silent streams keep others from talking")
	}
	back := streams[9]
	if st := back.member.Bind(back.kid, seconds(35)); st == nil || st == back || st.Dropped() {
		t.Error("who was silent cannot talk again")
	}
}

// TestIdleLocalStreamsStay wants streams of local members to be theirs until they make others.
func TestIdleLocalStreamsStay(t *testing.T) {
	h := newHouse(t)
	st := h.join("r").bind(t, 0, 0, epoch)
	h.joinRemote("r", homeB).bind(t, 0, 0, seconds(1000))
	if st.Dropped() {
		t.Error("a local member's stream was dropped")
	}
}
