//go:build linux

package opus_test

import (
	"fmt"
	"sync"
	"testing"
	"unsafe"

	"github.com/ebitengine/purego"

	"github.com/wzp-voice/wzp/internal/opus"
)

// libopus is the reference implementation, as Debian packages it: gopus is held against it. Only tests load
// it.
type libopus struct {
	encoderCreate func(rate, channels, application int32, err *int32) unsafe.Pointer
	encoderCtl    func(encoder unsafe.Pointer, request, value int32) int32
	encodeFloat   func(encoder unsafe.Pointer, pcm *float32, samples int32, packet *byte, most int32) int32
	decoderCreate func(rate, channels int32, err *int32) unsafe.Pointer
	decodeFloat   func(decoder unsafe.Pointer, packet *byte, n int32, pcm *float32, samples, fec int32) int32
	packetParse   func(b *byte, n int32, toc *byte, frames *[48]uintptr, sizes *[48]int16, at *int32) int32
	destroy       func(codec unsafe.Pointer)
}

// Requests of opus_encoder_ctl (opus_defines.h).
const (
	ctlBitrate    = 4002
	ctlVBR        = 4006
	ctlComplexity = 4010
	ctlFEC        = 4012
	ctlLoss       = 4014
	ctlDTX        = 4016
	ctlSignal     = 4024
)

var loadLibopus = sync.OnceValues(func() (*libopus, error) {
	lib, err := purego.Dlopen("libopus.so.0", purego.RTLD_NOW|purego.RTLD_GLOBAL)
	if err != nil {
		return nil, fmt.Errorf("run `make deps`, which installs libopus0: %w", err)
	}
	l := new(libopus)
	for name, fn := range map[string]any{
		"opus_encoder_create":  &l.encoderCreate,
		"opus_encoder_ctl":     &l.encoderCtl,
		"opus_encode_float":    &l.encodeFloat,
		"opus_decoder_create":  &l.decoderCreate,
		"opus_decode_float":    &l.decodeFloat,
		"opus_packet_parse":    &l.packetParse,
		"opus_decoder_destroy": &l.destroy, // both are free()
	} {
		purego.RegisterLibFunc(fn, lib, name)
	}
	return l, nil
})

// reference loads libopus. Without it the test fails.
func reference(tb testing.TB) *libopus {
	tb.Helper()
	l, err := loadLibopus()
	if err != nil {
		tb.Fatal(err)
	}
	return l
}

// frames is what libopus says that a packet consists of; 0: it is none.
func (l *libopus) frames(packet []byte) int {
	if len(packet) == 0 {
		return 0
	}
	var frames [48]uintptr
	var sizes [48]int16
	var toc byte
	return max(0, int(l.packetParse(&packet[0], int32(len(packet)), &toc, &frames, &sizes, nil)))
}

// cEncoder is an encoder of libopus with the settings of ours.
type cEncoder struct {
	lib   *libopus
	codec unsafe.Pointer
	size  int
}

func newCEncoder(tb testing.TB, c opus.Config) *cEncoder {
	tb.Helper()
	const voip, voice = 2048, 3001
	var code int32
	e := &cEncoder{lib: reference(tb)}
	e.codec = e.lib.encoderCreate(opus.SampleRate, 1, voip, &code)
	if code != 0 {
		tb.Fatal("opus_encoder_create:", code)
	}
	tb.Cleanup(func() { e.lib.destroy(e.codec) })
	e.size = newEncoder(tb, c).PacketSize()
	flag := map[bool]int{true: 1}
	for request, value := range map[int32]int{
		ctlVBR: 0, ctlSignal: voice, ctlComplexity: c.Complexity,
		ctlDTX: flag[c.DTX], ctlFEC: flag[c.InbandFEC], ctlLoss: c.ExpectedLoss,
		ctlBitrate: e.size * 8000 / int(c.FrameDuration.Milliseconds()),
	} {
		if code := e.lib.encoderCtl(e.codec, request, int32(value)); code != 0 {
			tb.Fatal("opus_encoder_ctl:", request, value, code)
		}
	}
	return e
}

func (e *cEncoder) Encode(dst []byte, pcm []float32) (n int, dtx bool, err error) {
	n = int(e.lib.encodeFloat(e.codec, &pcm[0], int32(len(pcm)), &dst[0], int32(e.size)))
	if n < 0 {
		return 0, false, fmt.Errorf("opus_encode_float: %d", n)
	}
	return n, n <= 2, nil
}

// cDecoder is a decoder of libopus with the methods of ours.
type cDecoder struct {
	lib   *libopus
	codec unsafe.Pointer
}

func newCDecoder(tb testing.TB) *cDecoder {
	tb.Helper()
	var code int32
	d := &cDecoder{lib: reference(tb)}
	if d.codec = d.lib.decoderCreate(opus.SampleRate, 1, &code); code != 0 {
		tb.Fatal("opus_decoder_create:", code)
	}
	tb.Cleanup(func() { d.lib.destroy(d.codec) })
	return d
}

func (d *cDecoder) decode(dst []float32, packet *byte, n int, fec int32) (int, error) {
	samples := int(d.lib.decodeFloat(d.codec, packet, int32(n), &dst[0], int32(len(dst)), fec))
	if samples < 0 {
		return 0, fmt.Errorf("opus_decode_float: %d", samples)
	}
	return samples, nil
}

func (d *cDecoder) Decode(dst []float32, packet []byte) (int, error) {
	if len(packet) == 0 {
		return 0, opus.ErrMalformed
	}
	return d.decode(dst, &packet[0], len(packet), 0)
}

func (d *cDecoder) DecodeFEC(dst []float32, next []byte) error {
	if len(next) == 0 {
		return opus.ErrMalformed
	}
	_, err := d.decode(dst, &next[0], len(next), 1)
	return err
}

func (d *cDecoder) Conceal(dst []float32) error {
	_, err := d.decode(dst, nil, 0, 0)
	return err
}
