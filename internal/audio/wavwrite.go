package audio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"syscall"
)

// A written file is a canonical WAV header (see wavread.go) and 16-bit samples:
//
//	0 "RIFF" size-8   8 "WAVE"   12 "fmt " 16   20 format   36 "data" bytes   44 samples
const (
	wavHeaderSize = 44
	maxDataBytes  = math.MaxUint32 - wavHeaderSize

	// flushSamples is how much sound a killed process may lose: a quarter second.
	flushSamples = SampleRate / 4
)

// outFile is what a WAVWriter or OpusWriter needs of a file; *os.File has it.
type outFile interface {
	io.WriterAt
	io.Closer
}

// WAVWriter streams PCM into a 16-bit mono WAV file at 48 kHz. It is a Sink. Every quarter second the samples
// and then their count in the header go to the file, so that it is whole and valid at any moment, even if the
// process is killed.
type WAVWriter struct {
	name    string
	file    outFile // nil when closed
	pending []byte  // samples not yet in the file
	written int64   // bytes of samples in the file
	err     error   // first failure: nothing is written after it
}

// CreateWAV creates or empties the file and writes its header.
func CreateWAV(path string) (*WAVWriter, error) { return create(path, newWAVWriter) }

// create creates or empties a file and begins it.
func create[W any](path string, begin func(f outFile, name string) (*W, error)) (*W, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err // already names the file
	}
	w, err := begin(f, path)
	if err != nil {
		f.Close()
	}
	return w, err
}

func newWAVWriter(f outFile, name string) (*WAVWriter, error) {
	w := &WAVWriter{name: name, file: f, pending: make([]byte, 0, 2*flushSamples)}
	if err := w.writeHeader(); err != nil {
		return nil, err
	}
	return w, nil
}

// WriteFrame appends samples; what exceeds full scale is cut. The first failure (disk full) is returned by
// every later call too, and the file stays valid.
func (w *WAVWriter) WriteFrame(pcm []float32) error {
	if w.file == nil {
		return fmt.Errorf("%s: %w", w.name, os.ErrClosed)
	}
	for len(pcm) > 0 && w.err == nil {
		n := min(len(pcm), (cap(w.pending)-len(w.pending))/2)
		for _, x := range pcm[:n] {
			w.pending = binary.LittleEndian.AppendUint16(w.pending, uint16(toInt16(x)))
		}
		pcm = pcm[n:]
		if len(w.pending) == cap(w.pending) {
			w.err = w.flush()
		}
	}
	return w.err
}

// toInt16 rounds; it is the exact inverse of reading 16-bit samples.
func toInt16(x float32) int16 {
	if x != x {
		return 0
	}
	scaled := math.RoundToEven(float64(x) * (1 << 15))
	return int16(max(math.MinInt16, min(scaled, math.MaxInt16)))
}

// flush writes the samples first and the header after: the header never promises more than there is.
func (w *WAVWriter) flush() error {
	if len(w.pending) == 0 {
		return nil
	}
	if w.written+int64(len(w.pending)) > maxDataBytes {
		return fmt.Errorf("%s: reached the 4 GB limit of WAV files: choose another file", w.name)
	}
	n, err := w.file.WriteAt(w.pending, wavHeaderSize+w.written)
	w.written += int64(n &^ 1)
	w.pending = w.pending[:0]
	if err != nil {
		// Overwriting the header needs no space, so that what fitted is kept; should that fail too, the first
		// error is the one that says what to do.
		_ = w.writeHeader()
		return writeError(w.name, err)
	}
	return w.writeHeader()
}

// wavHeaderBytes is a header with the sizes of the envelope and the data.
func wavHeaderBytes(riff, data uint32) (h [wavHeaderSize]byte) {
	le := binary.LittleEndian
	copy(h[0:], "RIFF")
	le.PutUint32(h[4:], riff)
	copy(h[8:], "WAVEfmt ")
	le.PutUint32(h[16:], 16)
	le.PutUint16(h[20:], formatPCM)
	le.PutUint16(h[22:], 1)
	le.PutUint32(h[24:], SampleRate)
	le.PutUint32(h[28:], SampleRate*2)
	le.PutUint16(h[32:], 2)
	le.PutUint16(h[34:], 16)
	copy(h[36:], "data")
	le.PutUint32(h[40:], data)
	return h
}

func (w *WAVWriter) writeHeader() error {
	h := wavHeaderBytes(uint32(w.written+wavHeaderSize-8), uint32(w.written))
	if _, err := w.file.WriteAt(h[:], 0); err != nil {
		return writeError(w.name, err)
	}
	return nil
}

func writeError(name string, err error) error {
	if errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("%s: the disk is full: free some space or choose another file", name)
	}
	return fmt.Errorf("%s: %w", name, err)
}

// Close writes what is left and the final header.
func (w *WAVWriter) Close() error {
	if w.file == nil {
		return nil
	}
	if w.err == nil {
		w.err = w.flush()
	}
	err := w.file.Close()
	w.file = nil
	if w.err != nil {
		return w.err
	}
	if err != nil {
		return writeError(w.name, err)
	}
	return nil
}
