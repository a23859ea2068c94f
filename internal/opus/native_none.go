//go:build noopus || !(darwin || windows || (linux && (!android || cgo) && (386 || amd64 || arm || arm64 || loong64 || ppc64le || riscv64)) || ((freebsd || netbsd) && cgo))

package opus

import "unsafe"

// This file takes the place of the calls into libopus in binaries built with the
// tag noopus, and on systems where purego needs cgo and there is none: no encoder
// or decoder can be made, so nothing below openLibrary is ever reached.

type codecState struct{ ptr unsafe.Pointer }

func openLibrary(string) (uintptr, error)         { return 0, errLeftOut }
func findSymbol(uintptr, string) (uintptr, error) { return 0, errLeftOut }
func cString(uintptr) string                      { return "" }
func call(uintptr, ...uintptr) uintptr            { return 0 }

func (l *library) newEncoderState(int) (codecState, error)           { return codecState{}, errLeftOut }
func (l *library) newDecoderState() (codecState, error)              { return codecState{}, errLeftOut }
func (l *library) encode(codecState, []byte, []float32) int          { return -1 }
func (l *library) decode(codecState, []float32, []byte, uintptr) int { return -1 }
func (l *library) setEncoder(codecState, int, int) int               { return -1 }
func (l *library) getEncoder(codecState, int) (value, code int)      { return 0, -1 }
func (l *library) setDecoder(codecState, int, int) int               { return -1 }
