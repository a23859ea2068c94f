package opus

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
)

// LibraryError says that libopus is not there or not usable. Its one line tells
// how to install it.
type LibraryError struct {
	Tried []string // the names given to the dynamic linker
	Err   error    // what the linker said last
}

func (e *LibraryError) Error() string {
	return "libopus is not installed: " + installHint(runtime.GOOS)
}

func (e *LibraryError) Unwrap() error { return e.Err }

func installHint(goos string) string {
	switch goos {
	case "darwin", "ios":
		return "install it with `brew install opus` (or `port install libopus`)"
	case "windows":
		return "put opus.dll beside the program"
	case "freebsd":
		return "install it with `pkg install opus`"
	case "netbsd":
		return "install it with `pkgin install libopus`"
	}
	return "install it with `apt install libopus0` (Fedora: `dnf install opus`, Arch: `pacman -S opus`, openSUSE: `zypper install libopus0`)"
}

// errLeftOut is the loader's answer in a build that has none.
var errLeftOut = errors.New("this build has no opus: use one that was built without the tag noopus, for linux, macOS or Windows")

// libraryNames lists what to open, best first. Plain names go through the
// linker's search path; the folders are those of package managers outside it.
func libraryNames(goos string) []string {
	switch goos {
	case "darwin", "ios":
		return []string{
			"libopus.0.dylib", "libopus.dylib",
			"/opt/homebrew/lib/libopus.0.dylib", // Homebrew on Apple silicon
			"/usr/local/lib/libopus.0.dylib",    // Homebrew on Intel
			"/opt/local/lib/libopus.0.dylib",    // MacPorts
		}
	case "windows":
		return []string{"opus.dll", "libopus-0.dll", "libopus.dll"}
	}
	return []string{
		"libopus.so.0", "libopus.so",
		"/usr/local/lib/libopus.so.0",
		"/usr/pkg/lib/libopus.so.0", // pkgsrc
	}
}

// library holds the addresses of the C functions in use.
type library struct {
	encoderGetSize, encoderInit, encodeFloat, encoderCtl uintptr
	decoderGetSize, decoderInit, decodeFloat, decoderCtl uintptr
	packetParse, getVersionString, strerror              uintptr
}

// symbols pairs each function with its place in the library.
func (l *library) symbols() map[string]*uintptr {
	return map[string]*uintptr{
		"opus_encoder_get_size":   &l.encoderGetSize,
		"opus_encoder_init":       &l.encoderInit,
		"opus_encode_float":       &l.encodeFloat,
		"opus_encoder_ctl":        &l.encoderCtl,
		"opus_decoder_get_size":   &l.decoderGetSize,
		"opus_decoder_init":       &l.decoderInit,
		"opus_decode_float":       &l.decodeFloat,
		"opus_decoder_ctl":        &l.decoderCtl,
		"opus_packet_parse":       &l.packetParse,
		"opus_get_version_string": &l.getVersionString,
		"opus_strerror":           &l.strerror,
	}
}

// loaded opens the library at first use, and once: it stays for the life of the
// process, since encoders hold its addresses.
var loaded = sync.OnceValues(func() (*library, error) {
	return load(libraryNames(runtime.GOOS))
})

// load opens the first of names that is there and resolves every function.
func load(names []string) (*library, error) {
	var last error
	for _, name := range names {
		handle, err := openLibrary(name)
		if errors.Is(err, errLeftOut) {
			return nil, err
		}
		if err != nil {
			last = err
			continue
		}
		lib := new(library)
		for symbol, address := range lib.symbols() {
			if *address, err = findSymbol(handle, symbol); err != nil {
				return nil, fmt.Errorf("%s is not a usable libopus: it has no %s: update it: %w", name, symbol, err)
			}
		}
		return lib, nil
	}
	return nil, &LibraryError{Tried: names, Err: last}
}

// Available tells whether libopus can be used, and how to get it when not.
func Available() error {
	_, err := loaded()
	return err
}

// Version returns what libopus says of itself, such as "libopus 1.3.1".
func Version() (string, error) {
	lib, err := loaded()
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(cString(call(lib.getVersionString))), nil
}
