package audio

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// A WAV file is chunks in a RIFF envelope (Multimedia Programming Interface and Data Specifications 1.0), all
// numbers little-endian:
//
//	"RIFF" size32 "WAVE"   { id[4] size32 body[size] pad to even } ...
//
//	"fmt " body: format16 channels16 rate32 bytes/s32 align16 bits16
//	             and for format 0xFFFE: cbSize16 validBits16 mask32 guid[16]
//	"data" body: sample frames
//
// Files beyond 4 GiB (EBU Tech 3306, ITU-R BS.2088) begin with "RF64" or "BW64", and their first chunk has
// the sizes of those chunks whose own is 0xFFFFFFFF:
//
//	"ds64" body: riffSize64 dataSize64 samples64 count32 and those of chunks which no file of sound has
const (
	formatPCM        = 1
	formatFloat      = 3
	formatExtensible = 0xFFFE

	maxChunks       = 4096 // before "data": more is not a file of sound
	maxChannels     = 64
	minWAVRate      = 8000
	maxWAVRate      = 192000
	maxFormatChunk  = 4096
	unknownDataSize = 0xFFFFFFFF // written by programs that cannot seek back

	sizesHead = 28
	maxSizes  = sizesHead + 64*12
)

// waveGUID is what follows the format code in an extensible format's GUID.
var waveGUID = [14]byte{0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71}

// WAVFormat is how a WAV file stores its samples.
type WAVFormat struct {
	Channels   int // 1 to 64
	SampleRate int // Hz, 8000 to 192000
	Bits       int // of one stored sample: 8, 16, 24 or 32
	Float      bool
	Mask       uint32 // where the channels' loudspeakers stand, see downmix; 0: not said
}

// WAVReader streams a WAV file as mono PCM at SampleRate: channels are mixed down (see downmix), other rates
// resampled. A file of 16-bit mono at 48 kHz comes out unchanged.
type WAVReader struct {
	name string
	pcm  Reader // resampled
}

// NewWAVReader reads the header from r. name is for errors.
//
// A damaged header is an error. A data chunk that is longer than the file, or of length 0 or 0xFFFFFFFF (a
// program wrote to a pipe, or died), is read to its end.
func NewWAVReader(r io.Reader, name string) (*WAVReader, error) {
	in := bufio.NewReaderSize(r, 16<<10)
	format, data, err := readWAVHeader(in)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	w := &WAVReader{name, newFrameReader(data, format)}
	if format.SampleRate != SampleRate {
		w.pcm = newResampler(w.pcm, format.SampleRate, SampleRate)
	}
	return w, nil
}

// Read fills dst unless the file ends first; io.EOF after the last sample.
func (w *WAVReader) Read(dst []float32) (n int, err error) {
	n, err = w.pcm.Read(dst)
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("%s: %w", w.name, err)
	}
	return n, err
}

// readWAVHeader walks the chunks up to the data and returns a reader of it.
func readWAVHeader(in *bufio.Reader) (WAVFormat, io.Reader, error) {
	var riff [12]byte
	if _, err := io.ReadFull(in, riff[:]); err != nil {
		return WAVFormat{}, nil, headerError(err, "not a WAV file: shorter than a header")
	}
	if !isWAV(riff[:]) {
		return WAVFormat{}, nil, errors.New("not a WAV file: no RIFF/WAVE header")
	}
	h := wavHeader{in: in, large: string(riff[:4]) != "RIFF"}
	for range maxChunks {
		var head [8]byte
		if _, err := io.ReadFull(in, head[:]); err != nil {
			return WAVFormat{}, nil, headerError(err, "damaged WAV header: it ends before any data chunk")
		}
		size := int64(binary.LittleEndian.Uint32(head[4:]))
		if string(head[:4]) == "data" {
			if h.format == nil {
				return WAVFormat{}, nil, errors.New("damaged WAV header: data before its format")
			}
			return *h.format, h.data(size), nil
		}
		if err := h.chunk(string(head[:4]), size); err != nil {
			return WAVFormat{}, nil, err
		}
	}
	return WAVFormat{}, nil, errors.New("damaged WAV header: too many chunks before the data")
}

// isWAV reports whether the first 12 bytes of a file are those of a WAV file.
func isWAV(head []byte) bool {
	id := string(head[:4])
	return (id == "RIFF" || id == "RF64" || id == "BW64") && string(head[8:12]) == "WAVE"
}

// wavHeader is what was read of a header so far.
type wavHeader struct {
	in     *bufio.Reader
	large  bool // RF64 or BW64
	format *WAVFormat
	long   int64 // size of the data, if it is too large for its own
}

// chunk reads a chunk that is not the data.
func (h *wavHeader) chunk(id string, size int64) error {
	switch {
	case id == "fmt ":
		f, err := readFormat(h.in, size)
		if err != nil {
			return err
		}
		h.format = &f
	case id == "ds64" && h.large:
		return h.readSizes(size)
	default:
		if _, err := io.CopyN(io.Discard, h.in, padded(size)); err != nil {
			return headerError(err, "damaged WAV header: it ends before any data chunk")
		}
	}
	return nil
}

// readSizes reads a chunk "ds64".
func (h *wavHeader) readSizes(size int64) error {
	if size < sizesHead || size > maxSizes {
		return fmt.Errorf("damaged WAV header: chunk of sizes of %d bytes", size)
	}
	body := make([]byte, padded(size))
	if _, err := io.ReadFull(h.in, body); err != nil {
		return headerError(err, "damaged WAV header: cut off in its chunk of sizes")
	}
	h.long = int64(min(binary.LittleEndian.Uint64(body[8:]), math.MaxInt64))
	return nil
}

// data reads the chunk of that name. What comes after it is no sound; but a program that wrote to a pipe, or
// died, left a size that is not true, and then all that is there belongs to it.
func (h *wavHeader) data(size int64) io.Reader {
	if size == unknownDataSize {
		size = h.long
	}
	if size == 0 {
		return h.in
	}
	return io.LimitReader(h.in, size)
}

// headerError keeps a real read error and words a premature end.
func headerError(err error, text string) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New(text)
	}
	return err
}

// padded adds the pad byte that follows a chunk of odd size.
func padded(size int64) int64 { return size + size&1 }

func readFormat(in io.Reader, size int64) (WAVFormat, error) {
	if size < 16 || size > maxFormatChunk {
		return WAVFormat{}, fmt.Errorf("damaged WAV header: format chunk of %d bytes", size)
	}
	body := make([]byte, padded(size))
	if _, err := io.ReadFull(in, body); err != nil {
		return WAVFormat{}, headerError(err, "damaged WAV header: cut off in its format chunk")
	}
	le := binary.LittleEndian
	code := int(le.Uint16(body))
	f := WAVFormat{
		Channels:   int(le.Uint16(body[2:])),
		SampleRate: int(min(le.Uint32(body[4:]), math.MaxInt32)),
		Bits:       int(le.Uint16(body[14:])),
	}
	if code == formatExtensible {
		if size < 40 || [14]byte(body[26:40]) != waveGUID {
			return WAVFormat{}, errors.New("damaged WAV header: bad extensible format")
		}
		code = int(le.Uint16(body[24:]))
		f.Mask = le.Uint32(body[20:])
	}
	f.Float = code == formatFloat
	if err := f.check(code); err != nil {
		return WAVFormat{}, err
	}
	if align := int(le.Uint16(body[12:])); align != f.frameBytes() {
		return WAVFormat{}, fmt.Errorf("damaged WAV header: %d bytes a frame for %d channels of %d bits",
			align, f.Channels, f.Bits)
	}
	return f, nil
}

func (f WAVFormat) frameBytes() int { return f.Channels * f.Bits / 8 }

func (f WAVFormat) check(code int) error {
	switch {
	case code != formatPCM && code != formatFloat:
		return fmt.Errorf("WAV with codec %#04x is not supported: convert it to PCM", code)
	case f.Channels < 1 || f.Channels > maxChannels:
		return fmt.Errorf("WAV with %d channels is not supported: use 1 to %d", f.Channels, maxChannels)
	case f.SampleRate < minWAVRate || f.SampleRate > maxWAVRate:
		return fmt.Errorf("WAV at %d Hz is not supported: use %d to %d", f.SampleRate, minWAVRate, maxWAVRate)
	case f.Float && f.Bits != 32:
		return fmt.Errorf("WAV with %d-bit float samples is not supported: use 32", f.Bits)
	case f.Bits != 8 && f.Bits != 16 && f.Bits != 24 && f.Bits != 32:
		return fmt.Errorf("WAV with %d-bit samples is not supported: use 8, 16, 24 or 32", f.Bits)
	}
	return nil
}
