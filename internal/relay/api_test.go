package relay

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/federation"
	"github.com/wzp-voice/wzp/internal/peer"
	"github.com/wzp-voice/wzp/internal/presence"
	"github.com/wzp-voice/wzp/internal/wire"
)

// TestAPIAccess asks from this machine and from others, with and without tokens.
func TestAPIAccess(t *testing.T) {
	inMesh(t, func(m *mesh) {
		n := m.running(1, "")[0]
		const here, elsewhere = "127.0.0.1", "192.0.2.7"
		for _, test := range []struct {
			from, wanted, shown string
			status              int
			says                string
		}{
			{here, "", "", http.StatusOK, ""},
			{here, testToken, "", http.StatusOK, ""},
			{here, testToken, "Bearer wrong", http.StatusOK, ""}, // reading here takes none
			{"::1", testToken, "", http.StatusOK, ""},
			{"::ffff:127.0.0.1", testToken, "", http.StatusOK, ""},
			{elsewhere, testToken, "Bearer " + testToken, http.StatusOK, ""},
			{elsewhere, testToken, "bearer  " + testToken + " ", http.StatusOK, ""},
			{elsewhere, "", "", http.StatusForbidden, "--admin-token-file"},
			{elsewhere, "", "Bearer " + testToken, http.StatusForbidden, "--admin-token-file"},
			{elsewhere, testToken, "", http.StatusUnauthorized, "Bearer"},
			{elsewhere, testToken, "Bearer", http.StatusUnauthorized, "Bearer"},
			{elsewhere, testToken, "Bearer " + testToken[1:], http.StatusUnauthorized, "Bearer"},
			{elsewhere, testToken, "Basic " + testToken, http.StatusUnauthorized, "Bearer"},
			{elsewhere, testToken, testToken, http.StatusUnauthorized, "Bearer"},
			{"2001:db8::1", testToken, "", http.StatusUnauthorized, "Bearer"},
		} {
			o := n.operator(test.from, test.wanted)
			o.token = test.shown
			for _, route := range apiRoutes {
				path := strings.ReplaceAll(route.path, "{fingerprint}", "x")
				r := o.ask(http.MethodGet, path)
				if test.status != http.StatusOK {
					r.refused(t, test.from+" "+test.shown, test.status, test.says)
				} else if r.status != test.status && r.status != http.StatusBadRequest {
					t.Errorf("%+v: %s: %d %s", test, path, r.status, r.body)
				}
				if asks := r.header.Get("WWW-Authenticate"); (asks == "Bearer") != (test.status == http.StatusUnauthorized) {
					t.Errorf("%+v: asks for %q", test, asks)
				}
			}
			for _, path := range []string{"/healthz", "/readyz", "/metrics", "/openapi.json"} {
				if r := o.ask(http.MethodGet, path); r.status != http.StatusOK {
					t.Errorf("%+v: %s: %d", test, path, r.status)
				}
			}
		}
	})
}

// TestAPIRefusals asks for what there is not.
func TestAPIRefusals(t *testing.T) {
	inMesh(t, func(m *mesh) {
		o := m.running(1, "")[0].operator("127.0.0.1", "")
		for _, path := range []string{"/", "/peer", "/peers/", "/presence/a/b"} {
			o.ask(http.MethodGet, path).refused(t, path, http.StatusNotFound, "/openapi.json")
		}
		for _, path := range []string{"/peers", "/healthz", "/metrics", "/openapi.json"} {
			r := o.ask(http.MethodPost, path)
			if r.refused(t, path, http.StatusMethodNotAllowed, "GET"); r.header.Get("Allow") != "GET, HEAD" {
				t.Errorf("%s allows %q", path, r.header.Get("Allow"))
			}
			if r := o.ask(http.MethodHead, path); r.status != http.StatusOK || r.body != "" {
				t.Errorf("HEAD %s: %+v", path, r)
			}
		}
		for _, query := range []string{"limit=0", "limit=-1", "limit=10001", "limit=many", "limit=99999999999999999999"} {
			o.ask(http.MethodGet, "/peers?"+query).refused(t, query, http.StatusBadRequest, "limit")
		}
		o.ask(http.MethodGet, "/probes?after=*").refused(t, "after", http.StatusBadRequest, "after")
		o.ask(http.MethodGet, "/presence?after=AAAA").refused(t, "after", http.StatusBadRequest, "after")
		for _, f := range []string{"x", fingerprintText[:38], fingerprintText + "0", strings.ToUpper(fingerprintText)} {
			o.ask(http.MethodGet, "/presence/"+f).refused(t, f, http.StatusBadRequest, "fingerprint")
		}
		o.ask(http.MethodGet, "/presence/"+fingerprintText).refused(t, "nobody", http.StatusNotFound, "known")
	})
}

const fingerprintText = "9983:c2ce:87f9:61b7:7931:d7c1:fd7f:864c"

// TestAPIPages reads lists by pages of all sizes.
func TestAPIPages(t *testing.T) {
	inMesh(t, func(m *mesh) {
		n := m.node()
		for i := range byte(5) {
			n.peers = append(n.peers, FederationPeer{Fingerprint: newIdentity(100 + i).Fingerprint(),
				Label: string('z' - rune(i/2))})
			n.config.Probe = append(n.config.Probe, "192.0.2."+string('1'+rune(i))+":1")
		}
		n.up()
		for range 5 {
			n.joined(privateRoom)
		}
		time.Sleep(time.Second)
		o := n.operator("127.0.0.1", "")
		for _, list := range []string{"/peers", "/probes", "/presence"} {
			whole := o.ask(http.MethodGet, list)
			if whole.header.Get("Link") != "" {
				t.Errorf("%s has a next page: %v", list, whole.header)
			}
			for limit := 1; limit <= 6; limit++ {
				var got []string
				next := list + "?limit=" + string('0'+rune(limit))
				pages := 0
				for ; next != "" && pages < 10; pages++ {
					var items []map[string]any
					r := o.get(next, &items)
					if len(items) > limit {
						t.Errorf("%s: %d items", next, len(items))
					}
					for _, item := range items {
						got = append(got, text(item, "addr")+text(item, "label")+text(item, "fingerprint"))
					}
					link := r.header.Get("Link")
					next = strings.TrimSuffix(strings.TrimPrefix(link, "<"), `>; rel="next"`)
					if link != "" && link != "<"+next+`>; rel="next"` {
						t.Errorf("a Link header of %q", link)
					}
				}
				if want := (5 + limit - 1) / limit; pages != want || len(got) != 5 {
					t.Errorf("%s by %d: %d items on %d pages", list, limit, len(got), pages)
				}
				for i := range got[1:] {
					if got[i] == got[i+1] {
						t.Errorf("%s by %d: %s comes twice", list, limit, got[i])
					}
				}
			}
		}
	})
}

func text(item map[string]any, key string) string {
	s, _ := item[key].(string)
	return s
}

// TestAPIRelays asks what is known of peers and of relays that are measured, and of people.
func TestAPIRelays(t *testing.T) {
	inMesh(t, func(m *mesh) {
		a, b, c := m.node(), m.node(), m.node()
		a.knows(b)
		a.config.Probe = []string{c.addr.String()}
		for _, n := range []*node{a, b, c} {
			n.up()
		}
		m.linked(a, b)
		p := a.joined(privateRoom)
		time.Sleep(time.Minute)
		o := a.operator("127.0.0.1", "")
		var peers []federation.PeerStatus
		o.get("/peers", &peers)
		if len(peers) != 1 || peers[0].Label != "B" || peers[0].State != peer.Up || peers[0].RTTMillis != 20 ||
			peers[0].Addr != b.addr.String() || peers[0].Fingerprints == nil || peers[0].PacketsIn == 0 {
			t.Errorf("peers: %+v", peers)
		}
		var probes []peer.ProbeStatus
		o.get("/probes", &probes)
		if len(probes) != 1 || probes[0].Addr != c.addr.String() || probes[0].State != peer.Up ||
			probes[0].Version != "test relay" || probes[0].RTTMillis != 20 {
			t.Errorf("probes: %+v", probes)
		}
		fingerprint := p.id.Fingerprint().String()
		want := `{"fingerprint":"` + fingerprint + `","location":"Local","available":false}` + "\n"
		if r := o.ask(http.MethodGet, "/presence/"+fingerprint); r.body != want {
			t.Errorf("presence: %s", r.body)
		}
		if r := o.ask(http.MethodGet, "/presence"); r.body != "["+strings.TrimSpace(want)+"]\n" {
			t.Errorf("presence: %s", r.body)
		}
	})
}

// TestAPIPresence asks a relay about people here, at its peer, and beyond: of these it knows hashes.
func TestAPIPresence(t *testing.T) {
	inMesh(t, func(m *mesh) {
		a, b, c := m.node(), m.node(), m.node()
		a.knows(b)
		b.knows(c)
		for _, n := range []*node{a, b, c} {
			for i := range n.peers {
				n.peers[i].Presence = presence.Mesh
			}
			n.up()
		}
		m.linked(a, b)
		m.linked(b, c)
		here, idle, near, far := a.line(true), a.line(false), b.line(true), c.line(true)
		hidden := b.line(false)
		o := a.operator("127.0.0.1", "")
		atB, atC := `{"Remote":"`+b.addr.String()+`"}`, `{"Remote":"`+c.id().String()+`"}`
		entry := func(p *caller, location string, available bool) string {
			return fmt.Sprintf(`{"fingerprint":"%v","location":%s,"available":%v}`, p.id.Fingerprint(), location,
				available)
		}
		want := []string{entry(here, `"Local"`, true), entry(idle, `"Local"`, false), entry(near, atB, true)}
		for p, answer := range map[*caller]string{here: want[0], idle: want[1], near: want[2],
			far: entry(far, atC, true)} {
			m.eventually("somebody is known", 5*time.Second, func() bool {
				return o.ask(http.MethodGet, "/presence/"+p.id.Fingerprint().String()).body == answer+"\n"
			})
		}
		o.ask(http.MethodGet, "/presence/"+hidden.id.Fingerprint().String()).refused(t, "who takes no calls elsewhere",
			http.StatusNotFound, "known")

		slices.Sort(want)
		want = append(want, fmt.Sprintf(`{"hash":"%v","location":%s,"available":true}`,
			wire.HashPresence(far.id.Fingerprint()), atC))
		for limit := 1; limit <= 5; limit++ {
			var got []string
			for next := fmt.Sprint("/presence?limit=", limit); next != ""; {
				var list []json.RawMessage
				r := o.get(next, &list)
				for _, item := range list {
					got = append(got, string(item))
				}
				next = strings.TrimSuffix(strings.TrimPrefix(r.header.Get("Link"), "<"), `>; rel="next"`)
			}
			if !slices.Equal(got, want) {
				t.Errorf("/presence by %d: %q, want %q", limit, got, want)
			}
		}
		var peers []federation.PeerStatus
		o.get("/peers", &peers)
		atPeer := []identity.Fingerprint{near.id.Fingerprint()}
		if len(peers) != 1 || !slices.Equal(peers[0].Fingerprints, atPeer) {
			t.Errorf("/peers: %+v", peers)
		}
		near.client.Close()
		m.eventually("nobody is at the peer", 5*time.Second, func() bool {
			o.get("/peers", &peers)
			return len(peers) == 1 && len(peers[0].Fingerprints) == 0
		})
	})
}

// TestAPIToken reads tokens from files.
func TestAPIToken(t *testing.T) {
	dir := t.TempDir()
	for content, ok := range map[string]bool{
		strings.Repeat("x", minToken): true, "\n " + strings.Repeat("~", maxToken) + "\r\n": true,
		"": false, strings.Repeat("x", minToken-1): false, strings.Repeat("x", maxToken+1): false,
		"two words, and long": false, "ünïcode of some length": false, strings.Repeat("x", 1<<20): false,
		"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00": false,
	} {
		file := filepath.Join(dir, "token")
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if token, err := readToken(file); (err == nil) != ok || (token != nil) != ok {
			t.Errorf("%.40q: %v", content, err)
		}
	}
	if token, err := readToken(""); token != nil || err != nil {
		t.Errorf("no file: %v", err)
	}
	config := Config{Identity: newIdentity(1), Listen: "127.0.0.1:0", Sockets: 1, Admin: "127.0.0.1:0",
		AdminTokenFile: filepath.Join(dir, "missing")}
	if _, err := New(config); err == nil || !strings.Contains(err.Error(), "--admin-token-file") {
		t.Errorf("a relay without its token: %v", err)
	}
}
