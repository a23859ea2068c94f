// Package speech helps tests to prove that somebody was heard: it finds real recorded speech, and tells which
// parts of it are missing from what came out at the other end.
//
//	Load("demo-congrats") ──> ref ──> encoder, network, jitter buffer ──> got
//	                           │                                          │
//	                           └──────────> Compare(ref, got) <───────────┘
//	                                          │ Align: one offset for all
//	                                          │ track: what the jitter buffer shifted since
//	                                          │ bands: is this frame's sound there?
//	                                          v
//	                          Report{Offset, Correlation, Active, Missing}
//
// The recordings are those of Debian's asterisk-core-sounds-en-wav (8 kHz, long sentences) and alsa-utils (48
// kHz, two words each); `make test` installs both. PCM is mono float32 at 48 kHz; a frame is 20 ms.
//
// What may not live here: anything that the program itself needs. Only tests import this package.
package speech

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/audio"
)

// FrameSamples is the grid on which sound is judged: 20 ms.
const FrameSamples = audio.SampleRate / 50

// Recordings that are worth naming: sentences of one speaker, from long to short.
const (
	Congrats   = "demo-congrats"       // 30 s, "Congratulations! You have successfully installed ..."
	Options    = "priv-callee-options" // 31 s
	MoreInfo   = "demo-moreinfo"       // 15 s
	Message    = "vm-msginstruct"      // 15 s
	AboutToTry = "demo-abouttotry"     // 15 s
	Review     = "vm-review"           // 8 s
	Keywords   = "demo-enterkeywords"  // 7 s
	Center     = "Front_Center"        // 1.4 s, 48 kHz, "front center"
	RearLeft   = "Rear_Left"           // 1.3 s, 48 kHz, "rear left"
	SideRight  = "Side_Right"          // 1.4 s, 48 kHz, "side right"
)

// folders hold the recordings, as the packages install them.
var folders = []string{
	"/usr/share/asterisk/sounds/en_US_f_Allison",
	"/usr/share/asterisk/sounds/en",
	"/usr/share/sounds/alsa",
}

// Path finds a recording by name.
func Path(name string) (string, error) {
	for _, folder := range folders {
		path := filepath.Join(folder, name+".wav")
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("no recording %s.wav: run `make test`, which installs the packages "+
		"asterisk-core-sounds-en-wav and alsa-utils", name)
}

// Load reads at most limit of a recording, as PCM at 48 kHz; 0 means all of it.
func Load(name string, limit time.Duration) ([]float32, error) {
	path, err := Path(name)
	if err != nil {
		return nil, err
	}
	return LoadFile(path, limit)
}

// LoadFile reads at most limit of any WAV or Ogg Opus file, as PCM at 48 kHz; 0 means all.
func LoadFile(path string, limit time.Duration) ([]float32, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	sound, err := audio.NewFileReader(file, path)
	if err != nil {
		return nil, err
	}
	most := int(limit * audio.SampleRate / time.Second)
	var pcm []float32
	buf := make([]float32, FrameSamples)
	for limit == 0 || len(pcm) < most {
		n, err := sound.Read(buf)
		pcm = append(pcm, buf[:n]...)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	if limit > 0 {
		pcm = pcm[:min(len(pcm), most)]
	}
	return pcm, nil
}

// Must is Load for tests: a missing recording fails the test and says what to do.
func Must(tb testing.TB, name string, limit time.Duration) []float32 {
	tb.Helper()
	pcm, err := Load(name, limit)
	if err != nil {
		tb.Fatal(err)
	}
	return pcm
}
