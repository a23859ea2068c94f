//go:build !noopus && (darwin || windows || (linux && (!android || cgo) && (386 || amd64 || arm || arm64 || loong64 || ppc64le || riscv64)) || ((freebsd || netbsd) && cgo))

package opus

import (
	"fmt"
	"runtime"
	"unsafe"

	"github.com/ebitengine/purego"
)

// Rules for calls in this file and its callers: a pointer becomes a uintptr only
// inside the argument list of a call to purego.SyscallN, which carries
// go:uintptrescapes, so that the compiler keeps the object on the heap and alive
// until the call returns (unsafe.Pointer rule 4). libopus keeps no pointer to a
// buffer after it returns, and none into its own state.

// codecState is one encoder's or decoder's memory. libopus takes it from us, so
// that the garbage collector owns it.
type codecState struct {
	memory []byte // keeps the block alive
	ptr    unsafe.Pointer
}

// stateAlign is what malloc would give: vector loads may count on it.
const stateAlign = 16

func newCodecState(size int) codecState {
	memory := make([]byte, size+stateAlign)
	skip := -uintptr(unsafe.Pointer(&memory[0])) & (stateAlign - 1)
	return codecState{memory, unsafe.Pointer(&memory[skip])}
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
	r, _, _ := purego.SyscallN(l.encodeFloat, uintptr(st.ptr),
		uintptr(unsafe.Pointer(&pcm[0])), uintptr(len(pcm)),
		uintptr(unsafe.Pointer(&dst[0])), uintptr(len(dst)))
	return int(int32(r))
}

// decode returns samples, or a negative libopus error code. An empty packet
// means concealment of len(dst) samples; fec asks for the LBRR copy.
func (l *library) decode(st codecState, dst []float32, packet []byte, fec uintptr) int {
	r, _, _ := purego.SyscallN(l.decodeFloat, uintptr(st.ptr),
		uintptr(unsafe.Pointer(unsafe.SliceData(packet))), uintptr(len(packet)),
		uintptr(unsafe.Pointer(&dst[0])), uintptr(len(dst)), fec)
	return int(int32(r))
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

// parseFrames is opus_packet_parse: the frames in a packet or a negative code.
func (l *library) parseFrames(packet []byte) int {
	var frames [maxFrames]unsafe.Pointer
	var sizes [maxFrames]int16
	r, _, _ := purego.SyscallN(l.packetParse,
		uintptr(unsafe.Pointer(&packet[0])), uintptr(len(packet)), 0,
		uintptr(unsafe.Pointer(&frames)), uintptr(unsafe.Pointer(&sizes)), 0)
	return int(int32(r))
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
