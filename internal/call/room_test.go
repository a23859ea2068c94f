package call

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/audio/speech"
	"github.com/wzp-voice/wzp/internal/wire"
)

// TestSpeechIsHeard has two people talk at the same time, and each hear the other.
func TestSpeechIsHeard(t *testing.T) {
	anna, bert := speech.Must(t, speech.Keywords, 4*time.Second), speech.Must(t, speech.Review, 4*time.Second)
	inLab(t, func(l *lab) {
		a, b := l.joined("anna", "r"), l.joined("bert", "r")
		said := []*Publication{a.say(&samples{pcm: anna}, PublishConfig{}),
			b.say(&samples{pcm: bert}, PublishConfig{})}
		for _, p := range said {
			if err := p.Err(); err != nil {
				t.Error(err)
			}
		}
		time.Sleep(time.Second)
		for _, test := range []struct {
			who       string
			ref, hear []float32
		}{{"anna", anna, b.mix.take()}, {"bert", bert, a.mix.take()}} {
			r := speech.Compare(test.ref, test.hear)
			if r.Active < 50 || len(r.Missing) > 0 {
				t.Errorf("%s: %d of %d frames missing", test.who, len(r.Missing), r.Active)
			}
		}
		checkTotals(t, a, b)
	})
}

func checkTotals(t *testing.T, a, b *person) {
	t.Helper()
	s := a.room.Stats()
	if s.PacketsSent < 100 || s.PayloadBytesSent != 60*s.PacketsSent || s.WireBytesSent < 100*s.PacketsSent ||
		s.Forged != 0 || s.EventsDropped != 0 {
		t.Errorf("%+v", s)
	}
	heard := b.room.Heard()
	if len(heard) != 1 || heard[0].Member().Name != "anna" ||
		heard[0].Member().Identity != a.client.Identity().Public() {
		t.Fatalf("heard %d streams", len(heard))
	}
	if got := heard[0].Stats(); got.Received != s.PacketsSent || got.Lost != 0 || got.Forged != 0 {
		t.Errorf("sent %d, received %+v", s.PacketsSent, got)
	}
}

func TestMembers(t *testing.T) {
	inLab(t, func(l *lab) {
		a := l.joined("anna", "r")
		b := l.joined("bert", "r")
		time.Sleep(time.Second)
		if got, want := a.news(), []string{"+bert"}; !slices.Equal(got, want) {
			t.Errorf("anna: %q, want %q", got, want)
		}
		if got, want := b.news(), []string{"+anna"}; !slices.Equal(got, want) {
			t.Errorf("bert: %q, want %q", got, want)
		}
		want := Member{ID: b.room.ID(), Name: "bert", Identity: b.client.Identity().Public()}
		if got := a.room.Members(); len(got) != 1 || got[0] != want {
			t.Errorf("members %+v, want %+v", got, want)
		}
		b.leave()
		time.Sleep(time.Second)
		if got, want := a.news(), []string{"-bert"}; !slices.Equal(got, want) {
			t.Errorf("anna: %q, want %q", got, want)
		}
		if got := a.room.Members(); len(got) != 0 {
			t.Errorf("members %+v", got)
		}
		if got := b.news(); got[len(got)-1] != "ended <nil>" {
			t.Errorf("bert: %q", got)
		}
		if err := b.room.Leave(); err != nil {
			t.Errorf("leaving twice: %v", err)
		}
	})
}

// TestRejoin leaves and joins again with the same client: another member, heard as before.
func TestRejoin(t *testing.T) {
	inLab(t, func(l *lab) {
		a, b := l.joined("anna", "r"), l.joined("bert", "r")
		first := b.room.ID()
		b.say(&samples{pcm: tone(time.Minute)}, PublishConfig{})
		time.Sleep(2 * time.Second)
		b.leave()
		time.Sleep(500 * time.Millisecond)
		if got := a.room.Streams(); len(got) != 0 {
			t.Errorf("%d streams of who has left", len(got))
		}
		a.mix.take()
		if err := b.join("r"); err != nil {
			t.Fatal(err)
		}
		if b.room.ID() == first {
			t.Error("the same member id for another stay")
		}
		b.say(&samples{pcm: tone(time.Minute)}, PublishConfig{})
		time.Sleep(3 * time.Second)
		if ms := sounding(a.mix.take()); ms < 2500 {
			t.Errorf("heard for %d of 3000 ms after joining again", ms)
		}
		if n := len(a.room.Heard()); n != 2 {
			t.Errorf("%d streams heard in all", n)
		}
		want := []string{"+bert", "hear bert 0", "-bert", "+bert", "hear bert 0"}
		if got := a.news(); !slices.Equal(got, want) {
			t.Errorf("anna: %q, want %q", got, want)
		}
	})
}

// TestRelayRestarts wants everybody to stay in the room when its relay is started anew.
func TestRelayRestarts(t *testing.T) {
	inLab(t, func(l *lab) {
		a, b, c := l.joined("anna", "r"), l.joined("bert", "r"), l.joined("carl", "r")
		b.say(&samples{pcm: tone(time.Minute)}, PublishConfig{})
		time.Sleep(2 * time.Second)
		a.news()
		l.stop()
		c.client.Close() // carl does not come back
		l.net.Partition(b.addr.Addr(), relayAddr.Addr(), true)
		l.startRelay()
		time.Sleep(2 * time.Second) // bert comes after anna
		l.net.Partition(b.addr.Addr(), relayAddr.Addr(), false)
		time.Sleep(4 * time.Second)
		a.mix.take()
		time.Sleep(3 * time.Second)
		if ms := sounding(a.mix.take()); ms < 2900 {
			t.Errorf("heard for %d of 3000 ms after the restart", ms)
		}
		time.Sleep(5 * time.Second)
		got := a.news()
		for _, want := range []string{"detached", "attached restarted=true", "-carl"} {
			if !slices.Contains(got, want) {
				t.Errorf("anna: %q without %q", got, want)
			}
		}
		if slices.Contains(got, "-bert") || slices.Contains(got, "hear bert 0") {
			t.Errorf("anna: %q, but bert was never away", got)
		}
		if n := len(a.room.Heard()); n != 1 {
			t.Errorf("%d streams heard", n)
		}
	})
}

// TestReturnAfterALongOutage wants somebody whose session the relay gave up to be heard again.
func TestReturnAfterALongOutage(t *testing.T) {
	inLab(t, func(l *lab) {
		a, b := l.joined("anna", "r"), l.joined("bert", "r")
		b.say(&samples{pcm: tone(5 * time.Minute)}, PublishConfig{})
		time.Sleep(2 * time.Second)
		l.net.Partition(b.addr.Addr(), relayAddr.Addr(), true)
		time.Sleep(66 * time.Second)
		if len(a.room.Members()) != 0 || len(a.room.Streams()) != 0 {
			t.Error("bert is still there")
		}
		if st := a.room.Heard()[0]; st.player.Load() != nil || st.Stats().Received < 50 {
			t.Error("the memory of a stream that has ended is kept, or its counters are not")
		}
		l.net.Partition(b.addr.Addr(), relayAddr.Addr(), false)
		time.Sleep(15 * time.Second)
		a.mix.take()
		time.Sleep(3 * time.Second)
		if ms := sounding(a.mix.take()); ms < 2900 {
			t.Errorf("heard for %d of 3000 ms", ms)
		}
		want := []string{"+bert", "hear bert 0", "-bert", "+bert"}
		if got := a.news(); !slices.Equal(got, want) {
			t.Errorf("anna: %q, want %q", got, want)
		}
		if heard, now := a.room.Heard(), a.room.Streams(); len(heard) != 1 || !slices.Equal(heard, now) {
			t.Errorf("heard %d streams, %d now", len(heard), len(now))
		}
	})
}

func TestCloseWithoutLeave(t *testing.T) {
	inLab(t, func(l *lab) {
		a := l.joined("anna", "r")
		source := &samples{pcm: tone(time.Minute)}
		pub := a.say(source, PublishConfig{})
		time.Sleep(time.Second)
		if err := a.client.Close(); err != nil {
			t.Error(err)
		}
		a.end()
		if err := pub.Err(); err != nil {
			t.Error(err)
		}
		if got := a.log(); got[len(got)-1] != "ended <nil>" {
			t.Errorf("%q", got)
		}
		if _, err := a.room.Publish(&samples{}, PublishConfig{}); err == nil {
			t.Error("published in a room that is over")
		}
		if err := a.room.Leave(); err != nil {
			t.Error(err)
		}
		if err := a.join("r"); err == nil {
			t.Error("joined with a closed client")
		}
	})
}

// A name that another keyboard writes in another way is the same room.
func TestJoinNormalizes(t *testing.T) {
	inLab(t, func(l *lab) {
		a, b := l.person("anna"), l.person("ben")
		if err := a.join(" cafe\u0301\n"); err != nil {
			t.Fatal(err)
		}
		if err := b.join("caf\u00e9"); err != nil {
			t.Fatal(err)
		}
		if a.room.Name() != b.room.Name() {
			t.Errorf("rooms %q and %q", a.room.Name(), b.room.Name())
		}
	})
}

func TestRefusedJoins(t *testing.T) {
	inLab(t, func(l *lab) {
		p := l.person("anna")
		for _, name := range []string{"", "_hidden", strings.Repeat("x", 65), "bell\a", "\xff"} {
			if err := p.join(name); err == nil || !strings.Contains(err.Error(), "room name") {
				t.Errorf("room %q: %v", name, err)
			}
		}
		p.client.config.RelayKey = newIdentity(3).Fingerprint()
		start := time.Now()
		err := p.join("r")
		if err == nil || !strings.Contains(err.Error(), l.key.Fingerprint().String()) ||
			!strings.Contains(err.Error(), "another key") {
			t.Errorf("another relay: %v", err)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("refusing another relay took %v", took)
		}
	})
	inNetwork(t, func(l *lab) {
		if err := l.person("anna").join("r"); err == nil ||
			!strings.Contains(err.Error(), "does not answer") {
			t.Errorf("no relay: %v", err)
		}
	})
}

func TestKnownRelays(t *testing.T) {
	path := t.TempDir() + "/known_relays"
	inLab(t, func(l *lab) {
		known, err := identity.OpenKnownRelays(path)
		if err != nil {
			t.Fatal(err)
		}
		p := l.person("anna")
		p.client.config.RelayKey, p.client.config.KnownRelays = identity.Fingerprint{}, known
		if err := p.join("r"); err != nil {
			t.Fatal(err)
		}
		p.leave()
		l.stop()
		l.key = newIdentity(201)
		l.startRelay()
		if err := p.join("r"); err == nil || !strings.Contains(err.Error(),
			newIdentity(200).Fingerprint().String()) {
			t.Errorf("another relay at the same address: %v", err)
		}
	})
}

func TestDialChecksItsArguments(t *testing.T) {
	key := newIdentity(1).Fingerprint()
	for _, test := range []struct {
		addr   string
		config Config
		want   string
	}{
		{"relay", Config{RelayKey: key}, "HOST:PORT"},
		{":4433", Config{RelayKey: key}, "is empty"},
		{"relay:0", Config{RelayKey: key}, "port"},
		{"relay:66000", Config{RelayKey: key}, "port"},
		{"relay:wzp", Config{RelayKey: key}, "port"},
		{"relay:4433", Config{}, "no way to know the relay"},
		{"relay:4433", Config{RelayKey: key, Name: strings.Repeat("n", 65)}, "name"},
	} {
		c, err := NewClient(test.addr, test.config)
		if err == nil {
			c.Close()
		}
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: %v, want %q", test.addr, err, test.want)
		}
	}
}

// TestRelayRefuses wants the relay's reason.
func TestRelayRefuses(t *testing.T) {
	inNetwork(t, func(l *lab) {
		fake := l.hostile()
		fake.answer = func(m wire.Message) wire.Message {
			if _, ok := m.(*wire.Join); ok {
				return &wire.Refused{Code: wire.CodeRoomFull}
			}
			return nil
		}
		if err := l.person("anna").join("r"); !errors.Is(err, &wire.Refused{Code: wire.CodeRoomFull}) {
			t.Errorf("a full room: %v", err)
		}
	})
}

// TestJoinGivesUp wants Join to end with its context.
func TestJoinGivesUp(t *testing.T) {
	inNetwork(t, func(l *lab) {
		p := l.person("anna")
		ctx, cancel := context.WithCancelCause(context.Background())
		cause := errors.New("no patience")
		time.AfterFunc(time.Second, func() { cancel(cause) })
		start := time.Now()
		if _, err := p.client.Join(ctx, "r", JoinConfig{}); err == nil {
			t.Error("joined without a relay")
		}
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}
