package wire

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// goldenLeave is by hand, and in web/wire/leave.test.js, too.
var goldenLeave = "05636166c3a9" + "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f" +
	"404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f"

func TestLeaveRequest(t *testing.T) {
	want, b := LeaveRequest{Room: "café"}, unhex(t, goldenLeave)
	count(want.Stay.Entry[:], 0x20)
	count(want.Stay.Secret[:], 0x40)
	if got := AppendLeaveRequest(nil, &want); !bytes.Equal(got, b) {
		t.Errorf("written as %x", got)
	}
	got, err := ParseLeaveRequest(b)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(&want, got); d != "" {
		t.Error(d)
	}
	for n := range b {
		if _, err := ParseLeaveRequest(b[:n:n]); !errors.Is(err, ErrTruncated) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	longest := AppendLeaveRequest(nil, &LeaveRequest{Room: strings.Repeat("r", MaxRoomName)})
	if _, err := ParseLeaveRequest(longest); err != nil || len(longest) != MaxLeaveRequest {
		t.Errorf("the longest: %d bytes, %v", len(longest), err)
	}
	for what, bad := range map[string][]byte{
		"a byte too many": append(bytes.Clone(b), 0), "no room": append([]byte{0}, b[6:]...),
		"_room": bytes.Replace(b, []byte("c"), []byte("_"), 1),
	} {
		if q, err := ParseLeaveRequest(bad); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %+v, %v", what, q, err)
		}
	}
}

func FuzzLeaveRequest(f *testing.F) {
	f.Fuzz(func(t *testing.T, b []byte) {
		q, err := ParseLeaveRequest(b)
		var format *FormatError
		switch {
		case err != nil && !errors.As(err, &format):
			t.Errorf("%v is no FormatError", err)
		case err == nil && !bytes.Equal(AppendLeaveRequest(nil, q), b):
			t.Errorf("%+v is written otherwise", q)
		case err == nil && len(b) > MaxLeaveRequest:
			t.Errorf("%d bytes are taken", len(b))
		}
	})
}
