//go:build !noopus && (darwin || windows || (linux && (!android || cgo) && (386 || amd64 || arm || arm64 || loong64 || ppc64le || riscv64)) || ((freebsd || netbsd) && cgo))

package opus

import (
	"fmt"
	"runtime"
	"unsafe"

	"github.com/ebitengine/purego"
)

// Rules for calls: a Go pointer may be handed to C as a number only while
// something keeps its object where it is. Setting up, a pointer becomes a uintptr
// in the argument list of call or ctl, whose go:uintptrescapes does that
// (unsafe.Pointer rule 4), for one allocation. On the path of a frame the buffers
// are pinned instead and the argument list is reused, which allocates nothing.
// libopus keeps no pointer to a buffer after it returns, and none into its state.

// codecState is one encoder's or decoder's memory. libopus takes it from us, so
// that the garbage collector owns it.
type codecState struct {
	memory []byte // keeps the block alive
	ptr    unsafe.Pointer
	frame  *frameCall
}

// frameCall is the argument list of encode and decode, on the heap and reused.
type frameCall struct {
	pinner runtime.Pinner
	args   [6]uintptr
}

// run calls fn with the state, n samples or bytes at in and out, and last.
func (s codecState) run(fn uintptr, in unsafe.Pointer, inLen int, out unsafe.Pointer, outLen int, last uintptr) int {
	c := s.frame
	c.pinner.Pin(s.ptr)
	c.pinner.Pin(out)
	if in != nil {
		c.pinner.Pin(in)
	}
	c.args = [6]uintptr{uintptr(s.ptr), uintptr(in), uintptr(inLen), uintptr(out), uintptr(outLen), last}
	r, _, _ := purego.SyscallN(fn, c.args[:]...)
	c.pinner.Unpin()
	return int(int32(r))
}

// stateAlign is what malloc would give: vector loads may count on it.
const stateAlign = 16

func newCodecState(size int) codecState {
	memory := make([]byte, size+stateAlign)
	skip := -uintptr(unsafe.Pointer(&memory[0])) & (stateAlign - 1)
	return codecState{memory, unsafe.Pointer(&memory[skip]), new(frameCall)}
}

// call runs a C function of up to a few integer arguments.
//
//go:uintptrescapes
func call(fn uintptr, args ...uintptr) uintptr {
	r, _, _ := purego.SyscallN(fn, args...)
	return r
}

// ctl calls a variadic opus_*_ctl(st, request, value). On Apple's arm64 the
// variable arguments are always on the stack, everywhere else they go where
// named ones would: eight registers are filled first to get there.
//
//go:uintptrescapes
func ctl(fn, state, request, value uintptr) int {
	var r uintptr
	if runtime.GOARCH == "arm64" && (runtime.GOOS == "darwin" || runtime.GOOS == "ios") {
		r, _, _ = purego.SyscallN(fn, state, request, 0, 0, 0, 0, 0, 0, value)
	} else {
		r, _, _ = purego.SyscallN(fn, state, request, value)
	}
	return int(int32(r))
}

func (l *library) newEncoderState(application int) (codecState, error) {
	size := int(int32(call(l.encoderGetSize, 1)))
	if size <= 0 {
		return codecState{}, fmt.Errorf("libopus gives an encoder %d bytes: reinstall it", size)
	}
	st := newCodecState(size)
	code := int(int32(call(l.encoderInit, uintptr(st.ptr), SampleRate, 1, uintptr(application))))
	return st, l.check("create encoder", code)
}

func (l *library) newDecoderState() (codecState, error) {
	size := int(int32(call(l.decoderGetSize, 1)))
	if size <= 0 {
		return codecState{}, fmt.Errorf("libopus gives a decoder %d bytes: reinstall it", size)
	}
	st := newCodecState(size)
	code := int(int32(call(l.decoderInit, uintptr(st.ptr), SampleRate, 1)))
	return st, l.check("create decoder", code)
}

// encode returns the packet's length, or a negative libopus error code.
// pcm and dst are not empty.
func (l *library) encode(st codecState, dst []byte, pcm []float32) int {
	// opus_encode_float(st, pcm, frame_size, data, max_data_bytes)
	return st.run(l.encodeFloat, unsafe.Pointer(&pcm[0]), len(pcm), unsafe.Pointer(&dst[0]), len(dst), 0)
}

// decode returns samples, or a negative libopus error code. An empty packet
// means concealment of len(dst) samples; fec asks for the LBRR copy.
func (l *library) decode(st codecState, dst []float32, packet []byte, fec uintptr) int {
	// opus_decode_float(st, data, len, pcm, frame_size, decode_fec)
	var data unsafe.Pointer
	if len(packet) > 0 {
		data = unsafe.Pointer(&packet[0])
	}
	return st.run(l.decodeFloat, data, len(packet), unsafe.Pointer(&dst[0]), len(dst), fec)
}

func (l *library) setEncoder(st codecState, request, value int) int {
	return ctl(l.encoderCtl, uintptr(st.ptr), uintptr(request), uintptr(value))
}

func (l *library) getEncoder(st codecState, request int) (value, code int) {
	v := new(int32)
	code = ctl(l.encoderCtl, uintptr(st.ptr), uintptr(request), uintptr(unsafe.Pointer(v)))
	return int(*v), code
}

func (l *library) setDecoder(st codecState, request, value int) int {
	return ctl(l.decoderCtl, uintptr(st.ptr), uintptr(request), uintptr(value))
}

// cString copies a static C string of at most 256 bytes.
func cString(address uintptr) string {
	if address == 0 {
		return ""
	}
	// The string lies in the library's read-only data, not in Go's heap.
	p := *(*unsafe.Pointer)(unsafe.Pointer(&address))
	n := 0
	for n < 256 && *(*byte)(unsafe.Add(p, n)) != 0 {
		n++
	}
	return string(unsafe.Slice((*byte)(p), n))
}
