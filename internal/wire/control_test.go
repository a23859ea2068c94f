package wire

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// framed puts the length before JSON.
func framed(json string) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(json))), json...)
}

// read reads one message and expects the stream to end after it.
func read(json string) (Message, error) {
	r := bytes.NewReader(framed(json))
	m, err := ReadMessage(r)
	if err == nil && r.Len() != 0 {
		return nil, errors.New("bytes were left over")
	}
	return m, err
}

func goldenExporter() (b [32]byte) { count(b[:], 0); return b }

func goldenHello() *Hello {
	h := &Hello{Name: "Ann", Client: "wzp/0.1", ConnID: 0x0a0b0c, Features: []string{"x", "yy"}}
	count(h.Session[:], 0x10)
	exporter := goldenExporter()
	h.Sign(filled(0x2a), exporter[:], filled(0x63).Public())
	return h
}

// The signature was made by another program, from section 5 alone.
const goldenHelloJSON = `{"Hello":{"protocol":1,` +
	`"identity":"d335301856dc5f763fb71fbec9728840d3feb078855e184dce5b0769fcda04bc",` +
	`"name":"Ann","client":"wzp/0.1","session":"101112131415161718191a1b1c1d1e1f","connection_id":658188,"features":["x","yy"],` +
	`"signature":"3db09fea314a07e9df7bc8121868eb563715c4164e11c9bc1397a9d9065aab06` +
	`7158d64f0ce48cefdb095a27343acfddc590dc9069aa9e252393ba5069458207"}}`

var goldenMessages = []struct {
	json string
	want Message
}{
	{goldenHelloJSON, goldenHello()},
	{`{"Welcome":{"connection_id":1,"reset_token":"000102030405060708090a0b0c0d0e0f","incarnation":"0102030405060708",` +
		`"relay":"wzp/0.1","features":[]}}`,
		&Welcome{ConnID: 1, ResetToken: [16]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
			Incarnation: [8]byte{1, 2, 3, 4, 5, 6, 7, 8}, Relay: "wzp/0.1"}},
	{`{"Join":{"room":"a \"b\\","entry":"AQIDBA=="}}`, &Join{Room: `a "b\`, Entry: []byte{1, 2, 3, 4}}},
	{`{"Joined":{"room":"café","member":"a1a2a3a4a5a6","members":4294967295}}`,
		&Joined{Room: "café", Member: memberA, Members: 1<<32 - 1}},
	{`{"Members":{"after":"a1a2a3a4a5a6"}}`, &Members{After: &memberA}},
	{`"Members"`, &Members{}},
	{`{"MemberPage":{"entries":["AQ==","AQI="],"next":"b1b2b3b4b5b6"}}`,
		&MemberPage{Entries: [][]byte{{1}, {1, 2}}, Next: &memberB}},
	{`{"MemberPage":{"entries":[]}}`, &MemberPage{}},
	{`"Leave"`, &Leave{}},
	{`{"Available":{"record":""}}`, &Available{}},
	{`{"Available":{"record":"` + base64.StdEncoding.EncodeToString(make([]byte, ReachSize)) + `"}}`,
		&Available{Record: make([]byte, ReachSize)}},
	{`"Line"`, &Line{}},
	{`{"Goodbye":{"code":"shutting_down","reason":"back at <9> & later"}}`,
		&Goodbye{Code: CodeShuttingDown, Reason: "back at <9> & later"}},
	{`{"Refused":{"code":"room_full","reason":""}}`, &Refused{Code: CodeRoomFull}},
}

func TestMessagesGolden(t *testing.T) {
	for _, g := range goldenMessages {
		b, err := AppendMessage([]byte("x"), g.want)
		if err != nil || !bytes.Equal(b[1:], framed(g.json)) {
			t.Errorf("written as %q, %v; want %s", b[1:], err, g.json)
		}
		got, err := read(g.json)
		if err != nil {
			t.Errorf("%s: %v", g.json, err)
		} else if d := cmp.Diff(g.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", g.json, d)
		}
	}
}

func TestMessagesTruncated(t *testing.T) {
	for _, g := range goldenMessages {
		b := framed(g.json)
		for n := range b {
			want := io.ErrUnexpectedEOF
			if n == 0 {
				want = io.EOF
			}
			if _, err := ReadMessage(bytes.NewReader(b[:n])); err != want {
				t.Errorf("%d of %d bytes: %v, want %v", n, len(b), err, want)
			}
		}
		for n := range g.json {
			var f *FormatError
			if m, err := read(g.json[:n]); !errors.As(err, &f) {
				t.Errorf("%s: %+v, %v", g.json[:n], m, err)
			}
		}
	}
}

// What other writers of JSON may send means the same.
func TestMessagesOtherSpelling(t *testing.T) {
	for json, want := range map[string]Message{
		" { \"Join\" :\t{ \"entry\" : \"AQ\\u003d=\" , \"room\"\r\n: \"\\u0061\" } } \n":                   &Join{Room: "a", Entry: []byte{1}},
		`{"Joined":{"members" : 7 ,"member":"a1a2a3a4a5a6","room":"a","new":{"room":[[1e999]]},"ROOM":5}}`: &Joined{Room: "a", Member: memberA, Members: 7},
		`{"Leave":{}}`:          &Leave{},
		`{"Leave":{"later":1}}`: &Leave{},
		`{"Members":{}}`:        &Members{},
		` "Leave" `:             &Leave{},
		`"Hold"`:                &UnknownMessage{Name: "Hold"},
		`{"Hold":[1,null,"x"]}`: &UnknownMessage{Name: "Hold"},
		`{"leave":{}}`:          &UnknownMessage{Name: "leave"},
		`{"":null}`:             &UnknownMessage{},
		`{"Refused":{"code":"new_code","reason":""}}`: &Refused{Code: "new_code"},
		`"` + strings.Repeat("x", 100) + `"`:          &UnknownMessage{Name: strings.Repeat("x", 64)},
	} {
		got, err := read(json)
		if err != nil {
			t.Errorf("%s: %v", json, err)
		} else if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", json, d)
		}
	}
}

func TestMessagesRefused(t *testing.T) {
	hello := func(old, repl string) string {
		if !strings.Contains(goldenHelloJSON, old) {
			t.Fatal(old)
		}
		return strings.Replace(goldenHelloJSON, old, repl, 1)
	}
	for json, want := range map[string]struct {
		what string
		err  error
	}{
		`null`:                             {"control message", ErrInvalid},
		`5`:                                {"control message", ErrInvalid},
		`[]`:                               {"control message", ErrInvalid},
		`{}`:                               {"control message", ErrInvalid},
		`{"Leave":{}} 1`:                   {"control message", ErrInvalid},
		`{"Leave":{},"Hold":{}}`:           {"control message", ErrInvalid},
		`{"Leave":{},"Leave":{}}`:          {"control message", ErrInvalid},
		`{"X":{"a":{"b":1,"b":1}}}`:        {"control message", ErrInvalid},
		`{"X":[1e999,{"b":1,"\u0062":1}]}`: {"control message", ErrInvalid},
		"\"\xff\"":                         {"control message", ErrInvalid},
		`{"X":` + strings.Repeat("[", 30000) + strings.Repeat("]", 30000) +
			`}`: {"control message", ErrLimit},
		`{"Leave":null}`:                             {"Leave", ErrInvalid},
		`{"Leave":[]}`:                               {"Leave", ErrInvalid},
		`"Join"`:                                     {"Join.room", ErrTruncated},
		`{"Join":{"room":"a"}}`:                      {"Join.entry", ErrTruncated},
		`{"Join":{"ROOM":"a","entry":"AQ=="}}`:       {"Join.room", ErrTruncated},
		`{"Join":{"room":"a","entry":null}}`:         {"Join.entry", ErrInvalid},
		`{"Join":{"room":7,"entry":"AQ=="}}`:         {"Join.room", ErrInvalid},
		`{"Join":{"room":"_a","entry":"AQ=="}}`:      {"Join.room", ErrInvalid},
		`{"Join":{"room":"a\u0000","entry":"AQ=="}}`: {"Join.room", ErrInvalid},
		`{"Join":{"room":"a","entry":""}}`:           {"Join.entry", ErrInvalid},
		`{"Join":{"room":"a","entry":"AQ"}}`:         {"Join.entry", ErrInvalid},
		`{"Join":{"room":"a","entry":"AR=="}}`:       {"Join.entry", ErrInvalid}, // bits beyond the last byte
		`{"Join":{"room":"a","entry":"AQ\n=="}}`:     {"Join.entry", ErrInvalid},
		// 423 bytes
		`{"Join":{"room":"a","entry":"` + strings.Repeat("AAAA", 141) +
			`"}}`: {"Join.entry", ErrLimit},
		`{"Join":{"room":"a","entry":"` + strings.Repeat("A", 40000) +
			`"}}`: {"Join.entry", ErrLimit},
		`"Available"`:                     {"Available.record", ErrTruncated},
		`{"Available":{"record":"AQ=="}}`: {"Available.record", ErrInvalid},
		`{"Available":{"record":"` + strings.Repeat("A", 40000) + `"}}`:  {"Available.record", ErrInvalid},
		`{"Available":{"record":"` + strings.Repeat("A", 239) + `\n="}}`: {"Available.record", ErrInvalid},
		`{"Members":{"after":null}}`:                                     {"Members.after", ErrInvalid},
		`{"Members":{"after":"a1a2a3a4a5"}}`:                             {"Members.after", ErrInvalid},
		`{"Members":{"after":"A1a2a3a4a5a6"}}`:                           {"Members.after", ErrInvalid},
		`{"MemberPage":{"entries":null}}`:                                {"MemberPage.entries", ErrInvalid},
		`{"MemberPage":{"entries":{}}}`:                                  {"MemberPage.entries", ErrInvalid},
		`{"MemberPage":{"entries":[1]}}`:                                 {"MemberPage.entries", ErrInvalid},
		`{"MemberPage":{"entries":["AQ==",null]}}`:                       {"MemberPage.entries", ErrInvalid},
		`{"MemberPage":{"entries":["AQ=="` + strings.Repeat(`,"AQ=="`, MaxPage) +
			`]}}`: {"MemberPage.entries", ErrLimit},
		`{"Joined":{"room":"a","member":"a1a2a3a4a5a6","members":0}}`: {"Joined.members",
			ErrInvalid},
		`{"Joined":{"room":"a","member":"a1a2a3a4a5a6","members":-1}}`: {"Joined.members",
			ErrInvalid},
		`{"Joined":{"room":"a","member":"a1a2a3a4a5a6","members":1.0}}`: {"Joined.members",
			ErrInvalid},
		`{"Joined":{"room":"a","member":"a1a2a3a4a5a6","members":1e1}}`: {"Joined.members",
			ErrInvalid},
		`{"Joined":{"room":"a","member":"a1a2a3a4a5a6","members":"1"}}`: {"Joined.members",
			ErrInvalid},
		`{"Joined":{"room":"a","member":"a1a2a3a4a5a6","members":4294967296}}`: {"Joined.members",
			ErrInvalid},
		`{"Refused":{"code":"","reason":""}}`:           {"Refused.code", ErrInvalid},
		`{"Refused":{"code":"A","reason":""}}`:          {"Refused.code", ErrInvalid},
		`{"Refused":{"code":"a\u001b[0m","reason":""}}`: {"Refused.code", ErrInvalid},
		`{"Goodbye":{"code":"a","reason":"\u001b[0m"}}`: {"Goodbye.reason",
			ErrInvalid},
		`{"Goodbye":{"code":"a","reason":"` + strings.Repeat("x", 257) +
			`"}}`: {"Goodbye.reason", ErrLimit},
		hello(`"protocol":1`, `"protocol":2`):           {"Hello.protocol", ErrInvalid},
		hello(`"Ann"`, `"`+strings.Repeat("x", 65)+`"`): {"Hello.name", ErrLimit},
		hello(`658188`, `0`):                            {"Hello.connection_id", ErrInvalid},
		hello(`658188`, `16777216`):                     {"Hello.connection_id", ErrInvalid},
		hello(`"x"`, `"`+strings.Repeat("x", 33)+`"`):   {"Hello.features", ErrLimit},
		hello(`"x"`, `"x"`+strings.Repeat(`,"x"`, 31)):  {"Hello.features", ErrLimit},
		hello(`"session":"10`, `"session":"`):           {"Hello.session", ErrInvalid},
		hello(`"features":["x","yy"],`, ``):             {"Hello.features", ErrTruncated},
	} {
		m, err := read(json)
		var f *FormatError
		if !errors.As(err, &f) || f.What != want.what || !errors.Is(err, want.err) {
			t.Errorf("%.100s: %+v, %v; want %s, %v", json, m, err, want.what, want.err)
		}
	}
}

func TestReadMessageLengths(t *testing.T) {
	if _, err := ReadMessage(bytes.NewReader(make([]byte, 4))); !errors.Is(err, ErrInvalid) {
		t.Errorf("length 0: %v", err)
	}
	r := io.MultiReader(bytes.NewReader([]byte{0, 1, 0, 1}), iotest.ErrReader(errors.New("read on")))
	if _, err := ReadMessage(r); !errors.Is(err, ErrLimit) {
		t.Errorf("length 65537: %v", err)
	}
	padded := `"Leave"` + strings.Repeat(" ", MaxMessage-7)
	if m, err := read(padded); err != nil {
		t.Errorf("length 65536: %v, %v", m, err)
	}
	broken := errors.New("broken")
	r = io.MultiReader(bytes.NewReader(framed(`"Leave"`)[:6]), iotest.ErrReader(broken))
	if _, err := ReadMessage(r); !errors.Is(err, broken) {
		t.Errorf("a broken stream: %v", err)
	}
}

// greedy gives out its bytes and notes how much room it was offered.
type greedy struct {
	b    []byte
	room int
}

func (g *greedy) Read(p []byte) (int, error) {
	g.room = max(g.room, len(p))
	if len(g.b) == 0 {
		return 0, io.EOF
	}
	n := copy(p, g.b)
	g.b = g.b[n:]
	return n, nil
}

// A length alone must not cost its size in memory: relays read from people they do not know.
func TestReadMessageMemory(t *testing.T) {
	g := &greedy{b: []byte{0, 1, 0, 0, '"'}}
	if _, err := ReadMessage(g); err != io.ErrUnexpectedEOF || g.room > 1024 {
		t.Errorf("%v, %d bytes were made ready for one that came", err, g.room)
	}
}

func TestMessagesInARow(t *testing.T) {
	var b []byte
	for _, g := range goldenMessages {
		b, _ = AppendMessage(b, g.want)
	}
	r := iotest.OneByteReader(bytes.NewReader(b))
	for _, g := range goldenMessages {
		if m, err := ReadMessage(r); err != nil || !cmp.Equal(m, g.want) {
			t.Errorf("%+v, %v; want %+v", m, err, g.want)
		}
	}
	if _, err := ReadMessage(r); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
}

func TestAppendMessageRefuses(t *testing.T) {
	for what, m := range map[string]Message{
		"Join.room":             &Join{Room: "_a", Entry: []byte{1}},
		"Join.entry":            &Join{Room: "a"},
		"Joined.members":        &Joined{Room: "a"},
		"Welcome.relay":         &Welcome{ConnID: 1, Relay: "a\n"},
		"Welcome.connection_id": &Welcome{ConnID: MaxConnID + 1},
		"Welcome.features":      &Welcome{ConnID: 1, Features: make([]string, 33)},
		"MemberPage.entries":    &MemberPage{Entries: [][]byte{{1}, make([]byte, MaxEntry+1)}},
		"Refused.code":          &Refused{},
	} {
		b, err := AppendMessage([]byte("x"), m)
		var f *FormatError
		if !errors.As(err, &f) || f.What != what || string(b) != "x" {
			t.Errorf("%T: %q, %v; want an error about %s", m, b, err, what)
		}
	}
	if _, err := AppendMessage(nil, &UnknownMessage{Name: "x"}); !errors.Is(err, ErrUnknown) {
		t.Errorf("an unknown message: %v", err)
	}
}

// Writing changes nothing of the message, so that it may be shared.
func TestAppendMessageLeavesItAlone(t *testing.T) {
	j := &Join{Room: "a", Entry: make([]byte, MaxEntry+1)}
	if _, err := AppendMessage(nil, j); err == nil || len(j.Entry) != MaxEntry+1 {
		t.Errorf("%d bytes of entry are left, %v", len(j.Entry), err)
	}
	p := &MemberPage{Entries: [][]byte{make([]byte, MaxEntry+1)}}
	if _, err := AppendMessage(nil, p); err == nil || len(p.Entries[0]) != MaxEntry+1 {
		t.Errorf("%d bytes of entry are left, %v", len(p.Entries[0]), err)
	}
}

func TestHelloVerify(t *testing.T) {
	exporter, relay := goldenExporter(), filled(0x63).Public()
	if !goldenHello().Verify(exporter[:], relay) {
		t.Fatal("a signed Hello does not verify")
	}
	for name, change := range map[string]func(h *Hello){
		"name":     func(h *Hello) { h.Name = "Bob" },
		"client":   func(h *Hello) { h.Client = "" },
		"border":   func(h *Hello) { h.Name, h.Client = "Annw", "zp/0.1" },
		"session":  func(h *Hello) { h.Session[0]++ },
		"conn id":  func(h *Hello) { h.ConnID++ },
		"features": func(h *Hello) { h.Features = h.Features[:1] },
		"feature":  func(h *Hello) { h.Features = []string{"xy", "y"} },
		"identity": func(h *Hello) { h.Identity = filled(0xab).Public() },
		"sign":     func(h *Hello) { h.Signature[63] ^= 1 },
		"unsigned": func(h *Hello) { *h = Hello{} },
	} {
		h := goldenHello()
		if change(h); h.Verify(exporter[:], relay) {
			t.Errorf("%s: verifies still", name)
		}
	}
	h := goldenHello()
	if h.Verify(exporter[:], filled(0xab).Public()) || h.Verify(exporter[:31], relay) ||
		h.Verify(nil, relay) {
		t.Error("verifies for another relay or connection")
	}
	exporter[0]++
	if h.Verify(exporter[:], relay) {
		t.Error("verifies for another connection")
	}
	h.Sign(filled(0x2a), nil, relay)
	if h.Verify(nil, relay) {
		t.Error("verifies without an exporter value")
	}
}

func TestRefusedAsError(t *testing.T) {
	err := fmt.Errorf("join: %w", &Refused{Code: CodeRoomFull, Reason: "30 of 30"})
	if !errors.Is(err, &Refused{Code: CodeRoomFull}) || errors.Is(err, &Refused{Code: CodeRate}) ||
		errors.Is(err, &Goodbye{Code: CodeRoomFull}) {
		t.Error("errors.Is goes by the code")
	}
	if want := "join: the relay refused: the room is full; try again when somebody has left (30 of 30)"; err.Error() != want {
		t.Errorf("%q, want %q", err, want)
	}
	if got := (&Refused{Code: "odd"}).Error(); got != "the relay refused: odd" {
		t.Error(got)
	}
	bye := error(&Goodbye{Code: CodeReplaced})
	if !errors.Is(bye, &Goodbye{Code: CodeReplaced}) || errors.Is(bye, &Refused{Code: CodeReplaced}) {
		t.Error("errors.Is goes by the code")
	}
	for _, c := range []Code{CodeProtocol, CodeSignature, CodeName, CodeRoomName, CodeEntry, CodeRoomFull,
		CodeTooManyRooms,
		CodeTooManySessions, CodeRate, CodeShuttingDown, CodeReplaced} {
		if advice[c] == "" {
			t.Errorf("nothing explains %q", c)
		}
		if _, err := AppendMessage(nil, &Refused{Code: c}); err != nil {
			t.Error(err)
		}
	}
}

func TestCodeOf(t *testing.T) {
	for json, want := range map[string]Code{
		`{"Join":{"room":"_a","entry":"AQ=="}}`: CodeRoomName,
		`{"Join":{"room":"a","entry":""}}`:      CodeEntry,
		`"Join"`:                                CodeRoomName,
		`7`:                                     CodeProtocol,
		strings.Replace(goldenHelloJSON, "Ann", "\\n", 1): CodeName,
		strings.Replace(goldenHelloJSON, ":1,", ":2,", 1): CodeProtocol,
	} {
		if _, err := read(json); CodeOf(err) != want {
			t.Errorf("%s: %v is %q, want %q", json, err, CodeOf(err), want)
		}
	}
	if _, err := ParseEntry(nil); CodeOf(err) != CodeEntry {
		t.Errorf("%v is %q", err, CodeOf(err))
	}
	if CodeOf(io.EOF) != CodeProtocol {
		t.Error("anything else is a protocol error")
	}
}

// TestReadMessageUpTo: who takes less than the protocol allows refuses more before reading it.
func TestReadMessageUpTo(t *testing.T) {
	m, err := AppendMessage(nil, &Goodbye{Code: CodeReplaced, Reason: strings.Repeat("x", 200)})
	if err != nil {
		t.Fatal(err)
	}
	size := len(m) - 4
	if _, err := ReadMessageUpTo(bytes.NewReader(m), size); err != nil {
		t.Error(err)
	}
	for _, limit := range []int{size - 1, 1, 0} {
		r := bytes.NewReader(m)
		if _, err := ReadMessageUpTo(r, limit); !errors.Is(err, ErrLimit) || r.Len() != size {
			t.Errorf("limit %d: %v, %d bytes left", limit, err, r.Len())
		}
	}
}
