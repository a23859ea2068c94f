package audio

import (
	"encoding/binary"
	"io"
	"math"
)

// frameReader turns stored sample frames into mono PCM at the file's own rate.
type frameReader struct {
	in      io.Reader
	format  WAVFormat
	weights []float32 // of the channels; nil: there is one
	limiter Mixer     // for several that add up to more than full scale
	buf     []byte    // whole frames
}

// framesAtOnce bounds the buffer: 4 KiB for 16-bit stereo.
const framesAtOnce = 1024

func newFrameReader(in io.Reader, f WAVFormat) *frameReader {
	return &frameReader{in: in, format: f, weights: downmix(f.Channels, f.Mask),
		buf: make([]byte, framesAtOnce*f.frameBytes())}
}

// Read fills dst unless the data ends; a cut-off last frame is left out.
func (r *frameReader) Read(dst []float32) (n int, err error) {
	size := r.format.frameBytes()
	for n < len(dst) {
		buf := r.buf[:min(len(dst)-n, framesAtOnce)*size]
		got, err := io.ReadFull(r.in, buf)
		first := n
		for frame := buf[:got]; len(frame) >= size; frame = frame[size:] {
			dst[n] = r.mono(frame[:size])
			n++
		}
		if r.weights != nil {
			r.limiter.limit(dst[first:n])
		}
		if err == io.ErrUnexpectedEOF {
			err = io.EOF
		}
		if err != nil && n > 0 {
			return n, nil // the error comes again with the next call
		}
		if err != nil {
			return 0, err
		}
	}
	return n, nil
}

// mono mixes the channels of one sample frame down.
func (r *frameReader) mono(frame []byte) float32 {
	if r.weights == nil {
		return r.format.sample(frame)
	}
	step := r.format.Bits / 8
	var sum float32
	for _, weight := range r.weights {
		sum += weight * r.format.sample(frame)
		frame = frame[step:]
	}
	return sum
}

// sample decodes one stored sample. Floats that are no numbers become silence, and wild ones are cut: a file
// is not trusted either.
func (f WAVFormat) sample(b []byte) float32 {
	switch {
	case f.Bits == 8:
		return (float32(b[0]) - 128) / 128
	case f.Bits == 16:
		return float32(int16(binary.LittleEndian.Uint16(b))) / (1 << 15)
	case f.Bits == 24:
		v := int32(b[0])<<8 | int32(b[1])<<16 | int32(b[2])<<24
		return float32(v>>8) / (1 << 23)
	case f.Float:
		return sanitize(math.Float32frombits(binary.LittleEndian.Uint32(b)))
	}
	return float32(float64(int32(binary.LittleEndian.Uint32(b))) / (1 << 31))
}

// maxSample is the loudest sample let in from outside: 18 dB above full scale.
const maxSample = 8

// sanitize cuts samples to +-maxSample and makes NaN silence, so that no input can poison a sum or a filter.
func sanitize(x float32) float32 {
	switch {
	case x >= -maxSample && x <= maxSample:
		return x
	case x > 0:
		return maxSample
	case x < 0:
		return -maxSample
	}
	return 0
}
