package audio

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
)

// A WAV file is chunks in a RIFF envelope (Multimedia Programming Interface and
// Data Specifications 1.0), all numbers little-endian:
//
//	"RIFF" size32 "WAVE"   { id[4] size32 body[size] pad to even } ...
//
//	"fmt " body: format16 channels16 rate32 bytes/s32 align16 bits16
//	             and for format 0xFFFE: cbSize16 validBits16 mask32 guid[16]
//	"data" body: sample frames
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
)

// waveGUID is what follows the format code in an extensible format's GUID.
var waveGUID = [14]byte{0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71}

// WAVFormat is how a WAV file stores its samples.
type WAVFormat struct {
	Channels   int // 1 to 64
	SampleRate int // Hz, 8000 to 192000
	Bits       int // of one stored sample: 8, 16, 24 or 32
	Float      bool
}

// WAVReader streams a WAV file as mono PCM at SampleRate: channels are averaged,
// other rates resampled. A file of 16-bit mono at 48 kHz comes out unchanged.
type WAVReader struct {
	name   string
	format WAVFormat
	closer io.Closer
	pcm    pcmReader // resampled
}

// OpenWAV opens a file. Errors name it and what is wrong with it.
func OpenWAV(path string) (*WAVReader, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err // already names the file
	}
	r, err := NewWAVReader(f, path)
	if err != nil {
		f.Close()
		return nil, err
	}
	r.closer = f
	return r, nil
}

// NewWAVReader reads the header from r. name is for errors.
//
// A damaged header is an error. A data chunk that is longer than the file, or of
// length 0 or 0xFFFFFFFF (a program wrote to a pipe, or died), is read to its end.
func NewWAVReader(r io.Reader, name string) (*WAVReader, error) {
	in := bufio.NewReaderSize(r, 16<<10)
	format, data, err := readWAVHeader(in)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	w := &WAVReader{name: name, format: format}
	w.pcm = newFrameReader(data, format)
	if format.SampleRate != SampleRate {
		w.pcm = newResampler(w.pcm, format.SampleRate, SampleRate)
	}
	return w, nil
}

// Format is how the file stores its samples.
func (w *WAVReader) Format() WAVFormat { return w.format }

// Read fills dst unless the file ends first; io.EOF after the last sample.
func (w *WAVReader) Read(dst []float32) (n int, err error) {
	n, err = w.pcm.Read(dst)
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("%s: %w", w.name, err)
	}
	return n, err
}

// Close closes the file. It may be called again.
func (w *WAVReader) Close() error {
	if w.closer == nil {
		return nil
	}
	err := w.closer.Close()
	w.closer = nil
	return err
}

// readWAVHeader walks the chunks up to the data and returns a reader of it.
func readWAVHeader(in *bufio.Reader) (WAVFormat, io.Reader, error) {
	var riff [12]byte
	if _, err := io.ReadFull(in, riff[:]); err != nil {
		return WAVFormat{}, nil, headerError(err, "not a WAV file: shorter than a header")
	}
	if id := string(riff[:4]); (id != "RIFF" && id != "RF64") || string(riff[8:]) != "WAVE" {
		return WAVFormat{}, nil, errors.New("not a WAV file: no RIFF/WAVE header")
	}
	var format *WAVFormat
	for range maxChunks {
		var head [8]byte
		if _, err := io.ReadFull(in, head[:]); err != nil {
			return WAVFormat{}, nil, headerError(err, "damaged WAV header: it ends before any data chunk")
		}
		size := binary.LittleEndian.Uint32(head[4:])
		switch string(head[:4]) {
		case "data":
			if format == nil {
				return WAVFormat{}, nil, errors.New("damaged WAV header: data before its format")
			}
			return *format, dataReader(in, size), nil
		case "fmt ":
			f, err := readFormat(in, size)
			if err != nil {
				return WAVFormat{}, nil, err
			}
			format = &f
		default:
			if _, err := io.CopyN(io.Discard, in, padded(size)); err != nil {
				return WAVFormat{}, nil, headerError(err, "damaged WAV header: it ends before any data chunk")
			}
		}
	}
	return WAVFormat{}, nil, errors.New("damaged WAV header: too many chunks before the data")
}

// headerError keeps a real read error and words a premature end.
func headerError(err error, text string) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New(text)
	}
	return err
}

// padded adds the pad byte that follows a chunk of odd size.
func padded(size uint32) int64 { return int64(size) + int64(size&1) }

func dataReader(in io.Reader, size uint32) io.Reader {
	if size == 0 || size == unknownDataSize {
		return in
	}
	return io.LimitReader(in, int64(size))
}

func readFormat(in io.Reader, size uint32) (WAVFormat, error) {
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
	}
	f.Float = code == formatFloat
	if err := f.check(code); err != nil {
		return WAVFormat{}, err
	}
	if align := int(le.Uint16(body[12:])); align != f.frameBytes() {
		return WAVFormat{}, fmt.Errorf("damaged WAV header: %d bytes a frame for %d channels of %d bits", align, f.Channels, f.Bits)
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

// frameReader turns stored sample frames into mono PCM at the file's own rate.
type frameReader struct {
	in     io.Reader
	format WAVFormat
	buf    []byte // whole frames
}

// framesAtOnce bounds the buffer: 4 KiB for 16-bit stereo.
const framesAtOnce = 1024

func newFrameReader(in io.Reader, f WAVFormat) *frameReader {
	return &frameReader{in: in, format: f, buf: make([]byte, framesAtOnce*f.frameBytes())}
}

// Read fills dst unless the data ends; a cut-off last frame is left out.
func (r *frameReader) Read(dst []float32) (n int, err error) {
	size := r.format.frameBytes()
	for n < len(dst) {
		buf := r.buf[:min(len(dst)-n, framesAtOnce)*size]
		got, err := io.ReadFull(r.in, buf)
		for frame := buf[:got]; len(frame) >= size; frame = frame[size:] {
			dst[n] = r.format.mono(frame[:size])
			n++
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

// mono averages the channels of one sample frame.
func (f WAVFormat) mono(frame []byte) float32 {
	step := f.Bits / 8
	if f.Channels == 1 {
		return f.sample(frame)
	}
	var sum float32
	for ; len(frame) >= step; frame = frame[step:] {
		sum += f.sample(frame)
	}
	return sum / float32(f.Channels)
}

// sample decodes one stored sample. Floats that are no numbers become silence,
// and wild ones are cut: a file is not trusted either.
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

// sanitize cuts samples to +-maxSample and makes NaN silence, so that no input
// can poison a sum or a filter.
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
