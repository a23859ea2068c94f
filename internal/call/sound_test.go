package call

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/audio"
	"github.com/wzp-voice/wzp/internal/audio/speech"
)

// What is heard is compared with what was said in virtual time: not a single frame may be missing, late or
// invented, however busy the machine is that the tests run on.
//
//	samples ── Publish ── codec ── simnet ── relay ── simnet ── jitter buffer ── codec ── recording
//	   '─────────────────────── speech.Compare ──────────────────────────────────────────'

// listener is somebody who records each talker.
type listener struct {
	*person
	mu    sync.Mutex            // guards heard
	heard map[string]*recording // by name
}

// listener returns somebody who is in a room and listens, and keeps an event log unless that is "".
func (l *lab) listener(name, room, log string) *listener {
	l.t.Helper()
	ear := &listener{person: l.person(name), heard: make(map[string]*recording)}
	ear.each = func(st *Stream) (audio.Sink, error) {
		ear.mu.Lock()
		defer ear.mu.Unlock()
		sink := &recording{}
		ear.heard[st.Member().Name] = sink
		return sink, nil
	}
	if log != "" {
		ear.logging(log)
	}
	if err := ear.join(room); err != nil {
		l.t.Fatal(err)
	}
	return ear
}

// of returns the recording of a talker.
func (ear *listener) of(name string) *recording {
	ear.lab.t.Helper()
	ear.mu.Lock()
	defer ear.mu.Unlock()
	if ear.heard[name] == nil {
		ear.lab.t.Fatalf("%s was not heard", name)
	}
	return ear.heard[name]
}

// stats returns the counters of the only stream of a talker.
func (p *person) stats(name string) StreamStats {
	p.lab.t.Helper()
	var found []StreamStats
	for _, st := range p.room.Heard() {
		if st.Member().Name == name {
			found = append(found, st.Stats())
		}
	}
	if len(found) != 1 {
		p.lab.t.Fatalf("%d streams of %s were heard, want 1", len(found), name)
	}
	return found[0]
}

// speaker is somebody who says a recording and leaves.
type speaker struct {
	*person
	name   string
	said   []float32
	source *samples
	sent   uint64 // packets; to be read after the end
	over   chan struct{}
}

// speaker returns somebody who has not joined yet.
func (l *lab) speaker(name string, said []float32) *speaker {
	l.t.Helper()
	// what the codec holds back comes out, too
	pcm := append(slices.Clone(said), silence(100*time.Millisecond)...)
	return &speaker{person: l.person(name), name: name, said: said, source: &samples{pcm: pcm},
		over: make(chan struct{})}
}

// speaks has them join, say it and leave.
func (s *speaker) speaks(room string) *speaker {
	s.lab.t.Helper()
	if err := s.join(room); err != nil {
		s.lab.t.Fatal(err)
	}
	pub := s.say(s.source, PublishConfig{})
	go func() {
		defer close(s.over)
		if err := pub.Err(); err != nil {
			s.lab.t.Error(err)
		}
		time.Sleep(100 * time.Millisecond)
		s.sent = s.room.Stats().PacketsSent
		s.leave()
	}()
	return s
}

// ended waits until they have said all of it, and it was played.
func ended(speakers ...*speaker) {
	for _, s := range speakers {
		<-s.over
	}
	time.Sleep(500 * time.Millisecond)
}

// whole fails the test unless all that was said was received, once, and heard. Where the buffer takes out or
// repeats a pitch period, for the path has jitter, the frame there may not be recognised.
func (ear *listener) whole(s *speaker) speech.Report {
	t := ear.lab.t
	t.Helper()
	st := ear.stats(s.name)
	if st.Received != s.sent || st.Lost+st.Late+st.Duplicate+st.Dropped+st.Concealed+st.Forged != 0 {
		t.Errorf("%s sent %d packets to %s: %+v", s.name, s.sent, ear.client.config.Name, st)
	}
	report := speech.Compare(s.said, ear.of(s.name).take())
	if report.Active < 20 || len(report.Missing) > int(st.Accelerated+st.Decelerated) {
		t.Errorf("%s to %s: %d of %d spoken frames are missing: %v; %+v", s.name, ear.client.config.Name,
			len(report.Missing), report.Active,
			report.Missing, st)
	}
	return report
}

// TestOneTalker: what one says arrives whole, and soon.
func TestOneTalker(t *testing.T) {
	said := speech.Must(t, speech.Keywords, 0)
	inLab(t, func(l *lab) {
		ear := l.listener("bert", "r", "")
		s := l.speaker("anna", said).speaks("r")
		ended(s)
		rec := ear.of("anna")
		report := ear.whole(s)
		heard := rec.from.Add(time.Duration(report.Offset) * time.Second / audio.SampleRate)
		took := heard.Sub(s.source.start)
		t.Logf("mouth to ear %v; delay %v, correlation %.2f", took, ear.stats("anna").Delay,
			report.Correlation)
		if limit := 40*time.Millisecond + 60*time.Millisecond; report.Active < 50 ||
			took < 40*time.Millisecond || took > limit {
			t.Errorf("mouth to ear takes %v, want at most %v, of which the path has 40 ms", took, limit)
		}
	})
}

// voices are recordings with much speech in their first seconds, all different.
var voices = []string{
	speech.Congrats, speech.MoreInfo, speech.Message, speech.AboutToTry, speech.Review,
	speech.Keywords, speech.Options, "demo-echotest", "demo-instruct", "vm-options",
}

// TestManyTalkers: each of several who talk at once is a stream of its own, and whole.
func TestManyTalkers(t *testing.T) {
	for _, n := range []int{3, 10} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			inLab(t, func(l *lab) {
				ear := l.listener("listener", "r", "")
				var speakers []*speaker
				for i := range n {
					speakers = append(speakers, l.speaker(fmt.Sprint("talker ", i),
						speech.Must(t, voices[i], 4*time.Second)).speaks("r"))
				}
				ended(speakers...)
				if heard := len(ear.room.Heard()); heard != n {
					t.Errorf("%d talkers were heard, want %d", heard, n)
				}
				for _, s := range speakers {
					ear.whole(s)
				}
			})
		})
	}
}

// TestStalledListeners: one who hangs and one who vanishes delay nobody.
func TestStalledListeners(t *testing.T) {
	inLab(t, func(l *lab) {
		ear := l.listener("healthy", "r", "")
		hanging, dying := l.joined("hanging", "r"), l.joined("dying", "r")
		s := l.speaker("anna", speech.Must(t, speech.Review, 6*time.Second)).speaks("r")
		time.Sleep(time.Second)
		l.net.Block(hanging.addr.Addr(), relayAddr.Addr(), true) // takes in what comes, and does nothing
		l.net.Partition(dying.addr.Addr(), relayAddr.Addr(), true)
		ended(s)
		ear.whole(s)
		l.net.Block(hanging.addr.Addr(), relayAddr.Addr(), false) // and is none the worse for it
		if got := hanging.stats("anna").Received; got == 0 {
			t.Errorf("who hung heard nothing")
		}
	})
}
