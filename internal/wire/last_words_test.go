package wire

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// goldenLastWords is by hand, and in web/wire/leave.test.js, too.
var goldenLastWords = "00" + "101112131415161718191a1b1c1d1e1f" + "0003" + "a1a2a3" + "0001" + "ff"

func TestLastWords(t *testing.T) {
	want, b := LastWords{Messages: [][]byte{{0xa1, 0xa2, 0xa3}, {0xff}}}, unhex(t, goldenLastWords)
	count(want.Session[:], 0x10)
	if got := AppendLastWords(nil, &want); !bytes.Equal(got, b) {
		t.Errorf("written as %x", got)
	}
	got, err := ParseLastWords(b)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(&want, got); d != "" {
		t.Error(d)
	}
	for n := range b {
		whole := n == 17 || n == 22 // none, or the first alone
		w, err := ParseLastWords(b[:n:n])
		if whole != (err == nil) || !whole && !errors.Is(err, ErrTruncated) {
			t.Errorf("%d bytes: %+v, %v", n, w, err)
		}
	}
	longest := &LastWords{}
	for range maxLastMessages {
		longest.Messages = append(longest.Messages, make([]byte, maxLastMessage))
	}
	if b := AppendLastWords(nil, longest); len(b) != MaxLastWords {
		t.Errorf("the longest has %d bytes", len(b))
	} else if _, err := ParseLastWords(b); err != nil {
		t.Error(err)
	}
	session := strings.Repeat("00", 16)
	for what, tc := range map[string]struct {
		hex  string
		want error
	}{
		"a room's":         {goldenLeave, ErrInvalid},
		"an empty message": {"00" + session + "0000", ErrInvalid},
		"a long message":   {"00" + session + "0395" + strings.Repeat("00", 917), ErrInvalid},
		"nine messages":    {"00" + session + strings.Repeat("0001ff", 9), ErrLimit},
	} {
		if w, err := ParseLastWords(unhex(t, tc.hex)); !errors.Is(err, tc.want) {
			t.Errorf("%s: %+v, %v", what, w, err)
		}
	}
	if IsLastWords(nil) || IsLastWords(unhex(t, goldenLeave)) || !IsLastWords(b) {
		t.Error("they are taken for something else")
	}
}

func FuzzLastWords(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		w, err := ParseLastWords(b)
		var format *FormatError
		switch {
		case err != nil && !errors.As(err, &format):
			t.Errorf("%v is no FormatError", err)
		case err == nil && !bytes.Equal(AppendLastWords(nil, w), b):
			t.Errorf("%+v is written otherwise", w)
		case err == nil && len(b) > MaxLastWords:
			t.Errorf("%d bytes are taken", len(b))
		}
	})
}
