package audio

import (
	"fmt"
	"math/rand/v2"
	"os"

	"github.com/thesyncim/gopus/container/ogg"

	"github.com/wzp-voice/wzp/internal/opus"
)

const (
	oggBitrate = 32000
	oggFrame   = SampleRate / 50
	// oggFrames is how many frames go on a page: a killed process loses a quarter second.
	oggFrames = 12
)

// OpusWriter streams PCM into an Ogg Opus file: mono, 32 kbit/s, and next to nothing in silence. It is a
// Sink. Every quarter second a page goes to the file. It is marked as the last until the next is there, so
// that the file is whole and valid at any moment, even if the process is killed.
type OpusWriter struct {
	name    string
	file    outFile // nil when closed
	encoder *opus.Encoder
	taken   int64     // samples so far
	frame   []float32 // the beginning of the next frame
	packet  []byte
	quiet   bool // so was the frame before, and packet says so

	page    ogg.Page // in the making
	last    ogg.Page // in the file
	lastAt  int64    // where
	written int64    // bytes
	err     error    // first failure: nothing is written after it
}

// CreateOpus creates or empties the file and writes its head.
func CreateOpus(path string) (*OpusWriter, error) { return create(path, newOpusWriter) }

func newOpusWriter(f outFile, name string) (*OpusWriter, error) {
	e, err := opus.NewEncoder(opus.Config{Bitrate: oggBitrate, DTX: true, ExpectedLoss: 1})
	if err != nil {
		return nil, err
	}
	w := &OpusWriter{name: name, file: f, encoder: e, packet: make([]byte, e.PacketSize())}
	head := ogg.DefaultOpusHead(SampleRate, 1)
	head.PreSkip = uint16(e.Lookahead())
	tags := ogg.OpusTags{Vendor: "wzp"}
	w.page.SerialNumber = rand.Uint32()
	for _, header := range []struct {
		flag   byte
		packet []byte
	}{{ogg.PageFlagBOS, head.Encode()}, {0, tags.Encode()}} {
		w.add(header.packet)
		if err := w.flush(header.flag); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// WriteFrame appends samples. The first failure (disk full) is returned by every later call too, and the file
// stays valid.
func (w *OpusWriter) WriteFrame(pcm []float32) error {
	if w.file == nil {
		return fmt.Errorf("%s: %w", w.name, os.ErrClosed)
	}
	w.taken += int64(len(pcm))
	for len(pcm) > 0 && w.err == nil {
		n := min(len(pcm), oggFrame-len(w.frame))
		w.frame, pcm = append(w.frame, pcm[:n]...), pcm[n:]
		if len(w.frame) == oggFrame {
			w.encode()
		}
	}
	return w.err
}

// encode takes a whole frame. A full page is written only when another frame follows: so the last page is
// never empty.
func (w *OpusWriter) encode() {
	if len(w.page.Segments) >= oggFrames {
		if w.err = w.flush(ogg.PageFlagEOS); w.err != nil {
			return
		}
	}
	if !w.quiet || !silent(w.frame) { // else it is as the one before
		n, dtx, err := w.encoder.Encode(w.packet[:cap(w.packet)], w.frame)
		if err != nil {
			w.err = fmt.Errorf("%s: %w", w.name, err)
			return
		}
		w.packet, w.quiet = w.packet[:n], dtx && silent(w.frame)
	}
	w.frame = w.frame[:0]
	w.page.GranulePos += oggFrame
	w.add(w.packet)
}

// silent tells a room in which nobody talks.
func silent(pcm []float32) bool {
	for _, x := range pcm {
		if x != 0 {
			return false
		}
	}
	return true
}

// add appends a packet of less than 255 bytes to the page.
func (w *OpusWriter) add(packet []byte) {
	w.page.Segments = append(w.page.Segments, byte(len(packet)))
	w.page.Payload = append(w.page.Payload, packet...)
}

// flush writes the page, and after it that the one before is not the last any more.
func (w *OpusWriter) flush(flag byte) error {
	w.page.HeaderType = flag
	data := w.page.Encode()
	if _, err := w.file.WriteAt(data, w.written); err != nil {
		return writeError(w.name, err)
	}
	if w.last.IsEOS() {
		w.last.HeaderType = 0
		if _, err := w.file.WriteAt(w.last.Encode(), w.lastAt); err != nil {
			return writeError(w.name, err)
		}
	}
	w.lastAt = w.written
	w.written += int64(len(data))
	w.last, w.page.Segments, w.page.Payload = w.page, w.last.Segments[:0], w.last.Payload[:0]
	w.page.PageSequence++
	return nil
}

// Close writes what is left, and what the encoder still holds.
func (w *OpusWriter) Close() error {
	if w.file == nil {
		return nil
	}
	taken := w.taken
	for end := taken + int64(w.encoder.Lookahead()); w.err == nil && int64(w.page.GranulePos) < end; {
		_ = w.WriteFrame(make([]float32, oggFrame-len(w.frame)))
	}
	if w.err == nil && taken > 0 {
		// The last page says how many samples there are: those of the encoder's delay, and what was taken.
		w.page.GranulePos = uint64(taken) + uint64(w.encoder.Lookahead())
		w.err = w.flush(ogg.PageFlagEOS)
	}
	w.taken = taken
	err := w.file.Close()
	w.file = nil
	if w.err == nil && err != nil {
		w.err = writeError(w.name, err)
	}
	return w.err
}
