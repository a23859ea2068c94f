package main

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/presence"
	"github.com/wzp-voice/wzp/internal/relay"
	"github.com/wzp-voice/wzp/internal/wire"
)

const (
	fingerprintA = "9983:c2ce:87f9:61b7:7931:d7c1:fd7f:864c"
	fingerprintB = "52f3:6a13:9e50:27c1:b1a4:0c5e:f9d2:7730"
	fingerprintC = "0000:0000:0000:0000:0000:0000:0000:0001" // the relay's own
)

func fingerprint(t testing.TB, text string) identity.Fingerprint {
	t.Helper()
	f, err := identity.ParseFingerprint(text)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// readConfig reads text as the configuration of the relay with fingerprintC, from a file "wzp.toml". Problems
// begin with their line.
func readConfig(t testing.TB, text string) (c *relayConfig, problems []string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "wzp.toml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := readRelayConfig(file, func(*relayConfig) (identity.Fingerprint,
		bool) {
		return fingerprint(t, fingerprintC), true
	})
	if all := (configErrors{}); errors.As(err, &all) {
		for _, line := range all.lines() {
			if strings.Contains(line, "\n") {
				t.Errorf("a problem of more than one line: %q", line)
			}
			problems = append(problems, strings.TrimPrefix(line, file+":"))
		}
	} else if err != nil {
		t.Fatal(err)
	}
	return c, problems
}

func TestRelayConfigExample(t *testing.T) {
	c, err := readRelayConfig("../../docs/wzp.example.toml",
		func(*relayConfig) (f identity.Fingerprint, known bool) { return f, false })
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range settingKeys() {
		if _, there := c.settings[key]; !there && key != metricsPort {
			t.Errorf("the example does not show %s", key)
		}
	}
	want := relay.FederationConfig{
		Peers: []relay.FederationPeer{
			{Address: "relay.example.org:4433", Fingerprint: fingerprint(t, fingerprintA), Label: "north",
				Presence: presence.Mesh},
			{Fingerprint: fingerprint(t, fingerprintB), Label: "ship"},
		},
		Probes: []relay.Probe{{Address: "far.example.org:4433", Label: "far",
			Fingerprint: fingerprint(t, "0d1f:55aa:90b2:c6e4:18f7:2b3c:4d5e:6f70")}},
		GlobalRooms: []string{"lobby", "ops-*"},
	}
	if diff := cmp.Diff(want, c.federation); diff != "" {
		t.Error(diff)
	}
	var cmd relayCmd
	cmd.keys = make(map[string]string)
	c.apply(&cmd, nil)
	if cmd.Listen != ":4433" || cmd.HTTP != "127.0.0.1:8080" || cmd.Admin != "127.0.0.1:9090" ||
		cmd.Data != "../../docs/data" ||
		cmd.EventLog != "" || cmd.MaxSessions != 20000 || cmd.MaxRooms != 10000 || cmd.MaxMembers != 2000 {
		t.Errorf("the example means %+v", cmd)
	}
	for _, s := range settings { // numbers of the example are the defaults
		f := reflect.TypeFor[relay.Config]().Field(s.field)
		value := reflect.ValueOf(cmd.Config).Field(s.field)
		if s.key != "" && value.Kind() == reflect.Int &&
			strconv.FormatInt(value.Int(), 10) != f.Tag.Get("default") {
			t.Errorf("%s is %v in the example, and %s by default", s.key, value, f.Tag.Get("default"))
		}
	}
}

func TestRelayConfigEmpty(t *testing.T) {
	c, problems := readConfig(t, "")
	if problems != nil || len(c.settings) != 0 || len(c.federation.Peers) != 0 ||
		len(c.federation.GlobalRooms) != 0 {
		t.Errorf("an empty file means %+v, problems %q", c, problems)
	}
}

func TestRelayConfigForms(t *testing.T) {
	c, problems := readConfig(t, `
listen_addr = "127.0.0.1:0"
http_addr = ""
metrics_port = 9100
data_dir = "keep"
event_log = "/var/log/wzp.jsonl"
max_rooms = 7
trusted = [{fingerprint = "`+fingerprintB+`"}]
[[peers]]
"url" = "wzp://[2001:DB8::1]:4433"
presence = "none"
fingerprint = '`+fingerprintA+`'
`)
	if problems != nil {
		t.Fatal(problems)
	}
	want := []relay.FederationPeer{
		{Address: "[2001:db8::1]:4433", Fingerprint: fingerprint(t, fingerprintA),
			Label: "[2001:db8::1]:4433", Presence: presence.None},
		{Fingerprint: fingerprint(t, fingerprintB), Label: "52f3:6a13:9e50:27c1"},
	}
	if diff := cmp.Diff(want, c.federation.Peers); diff != "" {
		t.Error(diff)
	}
	cmd := relayCmd{Config: relay.Config{Listen: ":1", HTTP: "before", MaxRooms: 1, MaxMembers: 2},
		keys: make(map[string]string)}
	c.apply(&cmd, map[string]bool{"listen": true, "event-log": true})
	if cmd.Listen != ":1" || cmd.HTTP != "" || cmd.Admin != "127.0.0.1:9100" ||
		cmd.Data != filepath.Join(filepath.Dir(c.file), "keep") ||
		cmd.EventLog != "" || cmd.MaxRooms != 7 || cmd.MaxMembers != 2 {
		t.Errorf("with --listen and --event-log given, the file makes %+v", cmd)
	}
	if cmd.nameOf("admin") != ": metrics_port" || cmd.nameOf("listen") != "--listen" {
		t.Errorf("settings are called %q and %q", cmd.nameOf("admin"), cmd.nameOf("listen"))
	}
}

func TestRelayConfigProblems(t *testing.T) {
	peer := func(keys string) string {
		return "[[peers]]\nurl = \"a:1\"\nfingerprint = \"" + fingerprintA + "\"\n" + keys
	}
	for _, test := range []struct {
		name, text string
		want       []string // one for each problem, what it begins with; "..." is anything
	}{
		{"no TOML", "listen_addr = \":1\"\nmax_rooms = = 3\n", []string{"2: this is not TOML: ..."}},
		{"a key twice", "max_rooms = 1\nmax_rooms = 2\n", []string{"2: this is not TOML: ..."}},
		{"unknown key", "\nlisten = \":1\"\n",
			[]string{`2: there is no key "listen"; keys are listen_addr, http_addr, admin_addr, metrics_port, admin_token_file, data_dir, event_log, max_sessions, max_rooms, max_members, member_rate, room_rate, send_rate, peers, trusted, probes, global_rooms; did you mean listen_addr?`}},
		{"unknown table", "[[peer]]\nurl = \"a:1\"\n",
			[]string{`1: there is no key "peer"; ...; did you mean peers?`}},
		{"nothing like a key", "colour = 1\n",
			[]string{`1: there is no key "colour"; keys are ..., global_rooms`}},
		{"unknown key of a peer", peer("addr = 5\n"),
			[]string{`4: [[peers]] has no key "addr"; its keys are url, fingerprint, label, presence`}},
		{"dialling who is trusted", "[[trusted]]\nfingerprint = \"" + fingerprintA + "\"\nurl = \"a:1\"\n",
			[]string{`3: [[trusted]] has no key "url"; its keys are fingerprint, label, presence`}},
		{"no word", peer("presence = \"Mesh\"\n"),
			[]string{`4: presence is "none", "peer" or "mesh", not the text "Mesh"`}},
		{"no text", peer("presence = true\n"),
			[]string{`4: presence is "none", "peer" or "mesh", not true`}},
		{"a setting below a table", peer("max_rooms = 5\n"),
			[]string{`4: [[peers]] has no key "max_rooms"; ...; max_rooms is a setting of the relay itself, and stands above the first [[`}},
		{"a misspelt setting below a table", "[[global_rooms]]\nname = \"ops\"\ndata = " +
			"\"/var/lib/wzp\"\nadmin_adr = \"\"\n", []string{
			`3: [[global_rooms]] has no key "data"; its keys are name; data_dir is a setting of the relay itself, ...`, `4: ...; admin_addr is a setting of ...`}},
		{"types", "listen_addr = 4433\nmax_rooms = \"many\"\ndata_dir = []\nevent_log = " +
			"2026-01-01\nmax_members = 1.5\n", []string{
			"1: listen_addr is text in quotes, not 4433",
			`2: max_rooms is a number from 1 to 2147483647, not the text "many"`,
			"3: data_dir is text in quotes, not a list", "4: event_log is text in quotes, not a date or time",
			"5: max_members is a number from 1 to 2147483647, not 1.5"}},
		{"numbers", "max_sessions = 0\nmetrics_port = 65536\nmax_rooms = -1\nmax_members = 3000000000\n",
			[]string{
				"1: max_sessions is a number ...", "2: metrics_port is a number from 1 to 65535, not 65536",
				"3: max_rooms is ...", "4: max_members is ..."}},
		{"addresses", "listen_addr = \"nowhere\"\nhttp_addr = \"127.0.0.1:http\"\nadmin_addr = \":70000\"\n",
			[]string{
				`1: listen_addr is HOST:PORT, such as "0.0.0.0:4433", or ":PORT", not "nowhere"`,
				`2: http_addr is HOST:PORT...; "" is for none`, `3: admin_addr is HOST:PORT, ...`}},
		{"no address to listen on", "listen_addr = \"\"\ndata_dir = \"\"\n",
			[]string{"1: listen_addr is HOST:PORT, ...", "2: data_dir is empty: ..."}},
		{"two admin addresses", "metrics_port = 1\nadmin_addr = \"\"\n",
			[]string{"1: metrics_port is short for admin_addr ...: give one of them"}},
		{"tokens", "auth_url = \"https://auth.example.org\"\n",
			[]string{"1: auth_url is not supported by this version, which lets everybody join: leave it out"}},
		{"tokens of another kind", "auth_url = true\n",
			[]string{"1: auth_url is not supported by this version, ..."}},
		{"a table that is none", "peers = 5\nglobal_rooms = [\"ops\",\n  \"dev\"]\n[trusted]\n", []string{
			"1: peers is a list of tables, not 5: write [[peers]] above each",
			`2: global_rooms is a list of tables, and has the text "ops" in it: write [[global_rooms]] above each`,
			`3: global_rooms is a list of tables, and has the text "dev" in it: ...`,
			"4: trusted is a list of tables, not a table: write [[trusted]] above each"}},
		{"missing keys", "[[peers]]\n\n[[trusted]]\n[[global_rooms]]\n", []string{
			"1: [[peers]] needs fingerprint: the other relay logs its own when it starts, ...wzp id show...",
			"1: [[peers]] needs url: HOST:PORT of its --listen, ...",
			"3: [[trusted]] needs fingerprint: ...", "4: [[global_rooms]] needs name: ..."}},
		{"inline", "trusted = [\n  {fingerprint = \"x\"},\n  {\n    fingerprint = \"" + fingerprintA +
			"\", lable = 1 },\n]\n", []string{
			"2: a fingerprint has 39 characters, not 1: ...",
			`4: [[trusted]] has no key "lable"; its keys are fingerprint, label, presence; did you mean label?`}},
		{"fingerprints", "[[trusted]]\nfingerprint = \"" + strings.ToUpper(fingerprintA) +
			"\"\n[[trusted]]\nfingerprint = 5\n", []string{
			"2: character 6 of the fingerprint is ...wzp id show...",
			"4: fingerprint is text in quotes, not 5: ..."}},
		{"one relay twice", peer("[[peers]]\nurl = \"b:1\"\nfingerprint = \"" + fingerprintA +
			"\"\n[[trusted]]\nfingerprint = \"" + fingerprintA + "\"\n"), []string{
			"6: [[peers]] in line 3 has this fingerprint already: ...",
			"8: [[peers]] in line 3 has this fingerprint already: ..."}},
		{"itself", "[[trusted]]\nfingerprint = \"" + fingerprintC + "\"\n",
			[]string{`2: this is the relay's own fingerprint: ...; if both relays show the same, the identity was copied: there "wzp id new --force ...`}},
		{"halves", "[[trusted]]\nfingerprint = \"" + fingerprintC[:38] + "2\"\n" +
			peer("[[trusted]]\nfingerprint = \""+fingerprintA[:38]+"d\"\n"), []string{
			"2: its first half is that of another relay, ...", "7: its first half is ..."}},
		{"one address twice", peer("[[peers]]\nurl = \"wzp://A:1\"\nfingerprint = \"" + fingerprintB +
			"\"\n"), []string{"5: [[peers]] in line 2 has this url already: ..."}},
		{"one label twice", peer("label = \"x\"\n[[trusted]]\nfingerprint = \"" + fingerprintB +
			"\"\nlabel = \"x\"\n"), []string{`7: [[peers]] in line 4 has the label "x" already: ...`}},
		{"labels", peer("label = \"a\\nb\"\n[[trusted]]\nfingerprint = \"" + fingerprintB + "\"\nlabel = \"" +
			strings.Repeat("x", 65) + "\"\n"),
			[]string{`4: label: the name "a\nb" contains the control character U+000A`,
				`7: label: the name "xxx... has 65 bytes in UTF-8; 64 bytes are the most`}},
		{"probes", "[[probes]]\nurl = \"a:1\"\nlabel = \"x\"\nfingerprint = \"9\"\n[[probes]]\nurl = \"a:1\"\n" +
			"label = \"x\"\nprobe = 1\n[[probes]]\n", []string{
			"4: a fingerprint has 39 characters, not 1: ...; give that of the relay which is to answer, ...",
			"6: [[probes]] in line 2 has this url already: ...", `7: [[probes]] in line 3 has the label "x" already: ...`,
			`8: [[probes]] has no key "probe"; its keys are url, fingerprint, label`, "9: [[probes]] needs url: ..."}},
		{"rooms", "[[global_rooms]]\nname = \"_x\"\n[[global_rooms]]\nname = \"" + strings.Repeat("*", 65) +
			"\"\n[[global_rooms]]\nname = \"e\\u0007\"\n[[global_rooms]]\nname = " +
			"\"a\"\n[[global_rooms]]\nname = \"a\"\n", []string{
			"2: name is that of a room, ...", "4: name is ...", "6: name is ...",
			"10: [[global_rooms]] in line 8 has this name already"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, problems := readConfig(t, test.text)
			if len(problems) != len(test.want) {
				t.Fatalf("problems:\n%s\nwant %d", strings.Join(problems, "\n"), len(test.want))
			}
			for i, want := range test.want {
				if !like(problems[i], want) {
					t.Errorf("problem %d:\n%s\nwant\n%s", i, problems[i], want)
				}
			}
		})
	}
}

// like reports whether text is want, in which "..." stands for anything.
func like(text, want string) bool {
	parts := strings.Split(want, "...")
	if !strings.HasPrefix(text, parts[0]) {
		return false
	}
	for i, part := range parts[1:] {
		text = strings.TrimPrefix(text, parts[i])
		at := strings.Index(text, part)
		if at < 0 {
			return false
		}
		text = text[at:]
	}
	return strings.HasSuffix(want, "...") || strings.HasSuffix(text, parts[len(parts)-1])
}

func TestNearestKey(t *testing.T) {
	for unknown, want := range map[string]string{
		"listen_adr": "listen_addr", "Listen-Addr": "listen_addr", "listenAddr": "listen_addr",
		"listen": "listen_addr",
		"data":   "data_dir", "event-log": "event_log", "max_rums": "max_rooms", "metric_port": "metrics_port",
		"max-members": "max_members",
		"auth_ulr":    "", "tls_cert": "", "": "", "x": "", "max": "", strings.Repeat("data_dir", 1000): "",
	} {
		if got := settingMeant(unknown); got != want {
			t.Errorf("%.20q is taken for %q, want %q", unknown, got, want)
		}
	}
	for word, want := range map[string]int{"": 5, "label": 0, "lable": 1, "labl": 1, "labels": 1, "libel": 1,
		"al": 3, "elbal": 3} {
		if got := typos(word, "label"); got != want {
			t.Errorf("%q has %d typos, want %d", word, got, want)
		}
	}
}

func TestPeerAddress(t *testing.T) {
	for text, want := range map[string]string{
		"relay.example.org:4433":        "relay.example.org:4433",
		"Relay.Example.ORG:4433":        "relay.example.org:4433",
		"wzp://10.0.0.1:1":              "10.0.0.1:1",
		"[::1]:65535":                   "[::1]:65535",
		"[fe80::1%eth0]:1":              "[fe80::1%eth0]:1",
		"b\u00fccher.example:1":         "xn--bcher-kva.example:1",
		"relay.example.org":             "",
		"wzp://relay.example.org":       "",
		"relay.example.org:0":           "",
		"relay.example.org:65536":       "",
		"relay.example.org:x":           "",
		":4433":                         "",
		"0.0.0.0:4433":                  "",
		"[::]:4433":                     "",
		"::1:4433":                      "",
		"https://a:1":                   "",
		"wzp://a:1/room":                "",
		"a b:1":                         "",
		"user@a:1":                      "",
		strings.Repeat("x", 254) + ":1": "",
	} {
		got, err := parsePeerAddress(text)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("parsePeerAddress(%q) = %q, %v; want %q", text, got, err, want)
		}
	}
}

// TestConfigProbes reads relays to measure, also one that is a peer.
func TestConfigProbes(t *testing.T) {
	c, problems := readConfig(t, peerA+"[[probes]]\nurl = \"wzp://B.example:4433\"\n[[probes]]\nurl = \"a:1\"\n"+
		"label = \"north\"\nfingerprint = \""+fingerprintA+"\"\n")
	if len(problems) != 0 {
		t.Fatalf("problems:\n%s", strings.Join(problems, "\n"))
	}
	known, err := identity.ParseFingerprint(fingerprintA)
	if err != nil {
		t.Fatal(err)
	}
	want := []relay.Probe{{Address: "b.example:4433", Label: "b.example:4433"},
		{Address: "a:1", Label: "north", Fingerprint: known}}
	if !slices.Equal(c.federation.Probes, want) {
		t.Errorf("probes %+v", c.federation.Probes)
	}
}

// TestConfigNames wants names to be what people meant, however their editor writes them.
func TestConfigNames(t *testing.T) {
	c, problems := readConfig(t,
		"[[peers]]\nurl = \"Bu\u0308cher.example:4433\"\nfingerprint = \""+fingerprintA+"\"\nlabel = \" Ku\u0308ste \"\n"+
			"[[global_rooms]]\nname = \" cafe\u0301-* \"\n[[global_rooms]]\nname = \"caf\u00e9-*\"\n")
	if want := []string{"8: [[global_rooms]] in line 6 has this name already"}; !slices.Equal(problems,
		want) {
		t.Fatalf("problems:\n%s", strings.Join(problems, "\n"))
	}
	if p := c.federation.Peers[0]; p.Address != "xn--bcher-kva.example:4433" || p.Label != "K\u00fcste" {
		t.Errorf("peer %+v", p)
	}
	if !slices.Equal(c.federation.GlobalRooms, []string{"caf\u00e9-*"}) {
		t.Errorf("rooms %q", c.federation.GlobalRooms)
	}
}

// TestRelayConfigBroken reads the example cut anywhere and with bytes changed: there may be problems, each
// with a line of the file.
func TestRelayConfigBroken(t *testing.T) {
	text, err := os.ReadFile("../../docs/wzp.example.toml")
	if err != nil {
		t.Fatal(err)
	}
	read := func(text []byte) {
		doc, err := parseTOML("wzp.toml", text)
		if err == nil {
			c := relayConfig{file: "wzp.toml", settings: make(map[string]any)}
			c.readSettings(doc)
			r := federationReader{doc: doc, ids: make(map[wire.RelayID]seenRelay)}
			r.read()
			err = doc.err()
		}
		if err == nil {
			return
		}
		all := configErrors{}
		if !errors.As(err, &all) || len(all.problems) == 0 {
			t.Fatalf("the error is %#v", err)
		}
		for _, p := range all.problems {
			if p.line < 1 || p.line > strings.Count(string(text), "\n")+1 || strings.Contains(p.text, "\n") {
				t.Fatalf("a problem in line %d: %q", p.line, p.text)
			}
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	const bytes = "[]{}=.,\"'\\#\n x0*"
	for i := range text {
		read(text[:i])
		broken := []byte(string(text))
		for range 1 + random.IntN(3) {
			broken[random.IntN(len(broken))] = bytes[random.IntN(len(bytes))]
		}
		read(broken)
	}
}

func TestRelayConfigTooLong(t *testing.T) {
	file := filepath.Join(t.TempDir(), "wzp.toml")
	if err := os.WriteFile(file, []byte("#"+strings.Repeat("x", maxConfigFile)), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := readRelayConfig(file, nil)
	if err == nil || !strings.Contains(err.Error(), "more than 1048576 bytes") {
		t.Errorf("the error is %v", err)
	}
}
