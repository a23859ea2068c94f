package audio

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/thesyncim/gopus/container/ogg"

	"github.com/wzp-voice/wzp/internal/opus"
)

// An Ogg Opus file (RFC 7845) is pages (RFC 3533, section 6), numbers little-endian:
//
//	"OggS" 0 flags8 granule64 serial32 sequence32 crc32 segments8 { length8 }[segments] body
//
// A packet is segments up to the first that is shorter than 255 bytes, on one page or several. The first
// packet is the head ("OpusHead"), the second is comments, the others are sound. A page's granule is how many
// samples there are up to its end; on the last page it may be less than its packets have, and the rest is not
// to be played. After it another file may follow (it is chained), with a head of its own.
const (
	pageHead  = 27
	pageBytes = pageHead + 255 + 255*255 // of the longest page
	maxOgg    = 64 << 10                 // bytes of a packet; what is longer is comments with pictures
)

// oggReader streams an Ogg Opus file as mono PCM at SampleRate. A page that is damaged or of another stream
// is left out, and so is a packet that does not decode.
type oggReader struct {
	in *bufio.Reader

	serial  uint32
	decoder *opus.Decoder // nil: no head was read yet
	gain    float32
	skip    int    // samples to leave out: what the encoder needed to begin
	header  bool   // the next packet is the comments
	end     uint64 // granule of the page before

	packet  []byte   // the beginning of the next packet
	packets [][]byte // of the page
	left    int      // samples of the page that are to be played

	pcm []float32 // decoded, and not read yet
	buf [opus.MaxPacketSamples]float32
}

// newOggReader reads up to the head. name is for errors.
func newOggReader(in io.Reader, name string) (*oggReader, error) {
	r := &oggReader{in: bufio.NewReaderSize(in, pageBytes)}
	for r.decoder == nil {
		err := r.nextPage()
		if errors.Is(err, io.EOF) {
			err = errors.New("damaged Ogg file: it ends before its head")
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return r, nil
}

// Read fills dst unless the file ends first; io.EOF after the last sample.
func (r *oggReader) Read(dst []float32) (n int, err error) {
	for n < len(dst) {
		for len(r.pcm) == 0 && err == nil {
			if len(r.packets) > 0 {
				r.decode()
			} else {
				err = r.nextPage()
			}
		}
		if err != nil {
			break
		}
		k := copy(dst[n:], r.pcm)
		r.pcm, n = r.pcm[k:], n+k
	}
	if n > 0 {
		return n, nil // the error comes again with the next call
	}
	return 0, err
}

// decode decodes the next packet of the page.
func (r *oggReader) decode() {
	n, err := r.decoder.Decode(r.buf[:], r.packets[0])
	r.packets = r.packets[1:]
	if err != nil {
		return
	}
	pcm := r.buf[:min(n, r.left)]
	r.left -= len(pcm)
	skipped := min(r.skip, len(pcm))
	r.skip -= skipped
	r.pcm = pcm[skipped:]
	for i := range r.pcm {
		r.pcm[i] = sanitize(r.pcm[i] * r.gain)
	}
}

// nextPage reads a page, and takes its packets if they are of the stream.
func (r *oggReader) nextPage() error {
	page, err := r.readPage()
	if err != nil {
		return err
	}
	switch {
	case page.IsBOS() && bytes.HasPrefix(page.Payload, []byte("OpusHead")) && !r.header:
		// One that comes before the comments of the first is of a stream beside it.
		return r.begin(page.SerialNumber, page.Payload)
	case r.decoder == nil && !page.IsBOS():
		return errors.New("an Ogg file without Opus: convert it to Ogg Opus or WAV")
	case r.decoder == nil || page.SerialNumber != r.serial:
		return nil
	}
	r.take(page)
	return nil
}

// begin reads a head.
func (r *oggReader) begin(serial uint32, packet []byte) error {
	head, err := ogg.ParseOpusHead(packet)
	if err != nil {
		return errors.New("damaged Ogg Opus file: its head is not valid")
	}
	if head.MappingFamily != ogg.MappingFamilyRTP && head.StreamCount != 1 {
		return fmt.Errorf("an Ogg Opus file with %d channels is not supported: use 1 or 2", head.Channels)
	}
	r.decoder = opus.NewDecoder()
	r.serial, r.skip, r.header, r.end = serial, int(head.PreSkip), true, 0
	r.gain = float32(math.Pow(10, float64(head.OutputGain)/256/20))
	r.packet, r.packets = r.packet[:0], nil
	return nil
}

// take puts together the packets that end on a page, and finds out how much of them is sound.
func (r *oggReader) take(page *ogg.Page) {
	if !page.IsContinuation() {
		r.packet = r.packet[:0]
	}
	r.packets, r.left = r.packets[:0], 0
	body := page.Payload
	for _, n := range page.Segments {
		segment := body[:min(int(n), len(body))]
		body = body[len(segment):]
		if len(r.packet) < maxOgg {
			r.packet = append(r.packet, segment...)
		}
		if n == 255 {
			continue
		}
		if p, err := opus.Parse(r.packet); err == nil && !r.header {
			r.packets = append(r.packets, bytes.Clone(r.packet))
			r.left += p.Samples()
		}
		r.header = false
		r.packet = r.packet[:0]
	}
	if page.GranulePos == math.MaxUint64 || len(r.packets) == 0 { // no packet ends on it
		return
	}
	if samples := uint64(r.left); page.IsEOS() {
		r.left = int(min(samples, max(page.GranulePos, r.end)-r.end))
	}
	r.end = page.GranulePos
}

// readPage reads the next page that is whole, whatever comes before it.
func (r *oggReader) readPage() (*ogg.Page, error) {
	for {
		head, err := r.in.Peek(pageHead)
		if err != nil {
			return nil, err
		}
		if at := bytes.Index(head, []byte("OggS")); at != 0 {
			if at < 0 {
				at = pageHead - 3 // the rest may be the beginning of one
			}
			_, _ = r.in.Discard(at) // it was peeked at
			continue
		}
		size := pageHead + int(head[26])
		lengths, _ := r.in.Peek(size)
		for _, n := range lengths[pageHead:] {
			size += int(n)
		}
		whole, err := r.in.Peek(size)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		page, n, err := ogg.ParsePage(whole) // checks the CRC
		if err == nil {
			_, _ = r.in.Discard(n)
			return page, nil
		}
		_, _ = r.in.Discard(1)
	}
}
