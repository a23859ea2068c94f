package wzp

import (
	"time"

	"github.com/wzp-voice/wzp/internal/call"
)

// PublishConfig says how sound is encoded. The zero value is good for speech.
type PublishConfig struct {
	Bitrate       int           // of the codec, 6000 to 64000 bit/s, constant; 0: 24000
	FrameDuration time.Duration // 20, 40 or 60 ms; 0: 20 ms
	FEC           bool          // Opus in-band FEC, for lossy paths
	ExpectedLoss  int           // percent, what frames are made for; 0: 10, with FEC 20
	NoDTX         bool          // send silence as sound instead of stopping
	PushToTalk    bool          // start muted: nothing is sent before SetTalking(true)
}

// Publication is what this client says in a room.
type Publication struct{ engine *call.Publication }

// Publish sends what source captures until the source ends, the room does, or Stop, and then closes the
// source; after an error it is still the caller's. A room publishes one source at a time, and 255 one after
// the other.
func (r *Room) Publish(source Source, config PublishConfig) (*Publication, error) {
	engine, err := r.engine.Publish(source, call.PublishConfig(config))
	if err != nil {
		return nil, public(err)
	}
	return &Publication{engine}, nil
}

// SetTalking opens or closes the microphone. When it opens, the 200 ms before are sent, too.
func (p *Publication) SetTalking(on bool) { p.engine.SetTalking(on) }

// Talking reports whether the microphone is open.
func (p *Publication) Talking() bool { return p.engine.Talking() }

// SetHand raises or lowers the hand, which others are told of ([HandChanged]), whether the microphone is open
// or not. It stays up until it is lowered, or the publication ends.
func (p *Publication) SetHand(up bool) { p.engine.SetHand(up) }

// Hand reports whether the hand is up.
func (p *Publication) Hand() bool { return p.engine.Hand() }

// Started returns when the first sample was captured, zero before that.
func (p *Publication) Started() time.Time { return p.engine.Start() }

// Done is closed when the publication failed, or all was sent and can be decrypted, or 3 s after that.
func (p *Publication) Done() <-chan struct{} { return p.engine.Done() }

// Err waits for Done and returns why the publication ended; nil at the end of the source or after Stop.
func (p *Publication) Err() error { return p.engine.Err() }

// Stop ends the publication and waits for that.
func (p *Publication) Stop() { p.engine.Stop() }
