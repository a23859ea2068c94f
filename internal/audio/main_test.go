package audio

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// helperEnv makes this test binary a writer that never stops; see TestKilledWriter.
const helperEnv = "WZP_AUDIO_TEST_WRITE"

func TestMain(m *testing.M) {
	if path := os.Getenv(helperEnv); path != "" {
		writeForever(path)
	}
	goleak.VerifyTestMain(m)
}

// sine is n samples of a tone of the given amplitude at SampleRate.
func sine(n int, hz, amplitude float64) []float32 {
	pcm := make([]float32, n)
	fillTone(pcm, hz, 0)
	for i := range pcm {
		pcm[i] *= float32(amplitude / toneLevel)
	}
	return pcm
}
