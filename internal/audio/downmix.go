package audio

import (
	"math"
	"math/bits"
)

// The loudspeakers of a channel mask, in the order of the channels (Microsoft, WAVEFORMATEXTENSIBLE), that
// count other than those in front do.
const (
	speakerCentre  = 1 << 2
	speakerLFE     = 1 << 3
	speakerBack    = 1<<4 | 1<<5
	speakerBackOne = 1 << 8
	speakerSide    = 1<<9 | 1<<10
	speakerTop     = 1<<11 | 1<<12 | 1<<13 | 1<<14 | 1<<15 | 1<<16 | 1<<17
)

// usualMasks are the layouts of files that do not say theirs, by the number of channels.
var usualMasks = [...]uint32{3: 0x7, 4: 0x33, 5: 0x37, 6: 0x3f, 7: 0x13f, 8: 0x63f}

// downmix returns how much of each channel goes into one, by ITU-R BS.775, annex 4: the centre, which carries
// the voice, whole; front left and right with 0.7071; surround with 0.5, or 0.7071 if there is one of it;
// effects (LFE) not at all. Nothing is scaled down so that it fits: a limiter follows. It is nil for one
// channel.
//
// Stereo is averaged instead, as everywhere: a voice in both of two channels is as loud as in one. Channels
// of which nobody knows where they stand are taken for independent.
func downmix(channels int, mask uint32) []float32 {
	if channels == 1 {
		return nil
	}
	if mask == 0 && channels < len(usualMasks) {
		mask = usualMasks[channels]
	}
	weights := make([]float32, channels)
	if channels == 2 && (mask == 0 || mask == 0x3) {
		weights[0], weights[1] = 0.5, 0.5
		return weights
	}
	heard := false
	for i := range weights {
		speaker := mask & -mask // the lowest that is left
		mask &^= speaker
		weights[i] = weightOf(speaker, channels)
		heard = heard || weights[i] > 0
	}
	if !heard {
		for i := range weights {
			weights[i] = 1 / float32(channels)
		}
	}
	return weights
}

// weightOf is how much of a loudspeaker's channel is heard; 0 is none that is known.
func weightOf(speaker uint32, channels int) float32 {
	switch {
	case bits.OnesCount32(speaker) == 0:
		return float32(1 / math.Sqrt(float64(channels)))
	case speaker == speakerCentre:
		return 1
	case speaker == speakerLFE:
		return 0
	case speaker&(speakerBack|speakerSide|speakerTop) != 0:
		return 0.5
	}
	return math.Sqrt2 / 2
}
