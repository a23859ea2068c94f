package opus

import (
	"errors"
	"runtime"
	"strings"
	"testing"
)

func TestMissingLibrary(t *testing.T) {
	_, err := load([]string{"libopus-that-is-not-there.so.0", "neither-is-this.so"})
	var missing *LibraryError
	if !errors.As(err, &missing) || len(missing.Tried) != 2 || missing.Err == nil {
		t.Fatalf("got %v", err)
	}
	text := err.Error()
	if strings.Contains(text, "\n") || (runtime.GOOS == "linux" && !strings.Contains(text, "apt install libopus0")) {
		t.Errorf("does not say in one line what to do: %q", text)
	}
}

func TestWrongLibrary(t *testing.T) {
	if runtime.GOOS != "linux" {
		return // the name of another library is known for Linux only
	}
	_, err := load([]string{"libc.so.6"})
	if err == nil || !strings.Contains(err.Error(), "libc.so.6 is not a usable libopus") {
		t.Errorf("got %v", err)
	}
}

func TestEveryPlatformHasNamesAndAHint(t *testing.T) {
	for _, goos := range []string{"linux", "darwin", "windows", "freebsd", "netbsd", "openbsd"} {
		if len(libraryNames(goos)) == 0 || installHint(goos) == "" {
			t.Errorf("%s: nothing to try or to say", goos)
		}
	}
}

func TestErrorsNameWhatLibopusSays(t *testing.T) {
	lib, err := loaded()
	if err != nil {
		t.Fatal(err)
	}
	var e *Error
	if err := lib.check("decode", -4); !errors.As(err, &e) || e.Code != -4 || !strings.Contains(err.Error(), "corrupted") {
		t.Errorf("got %v", err)
	}
	if err := lib.check("decode", 0); err != nil {
		t.Error(err)
	}
}
