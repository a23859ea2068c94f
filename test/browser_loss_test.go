package test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/simnet"
)

// alter passes the page of a relay on, with one of its files altered, whose path fits a pattern. It returns
// the address.
func alter(t *testing.T, r *relay, pattern string, change func(string) string) string {
	t.Helper()
	to, err := url.Parse(r.page)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(request *httputil.ProxyRequest) {
			request.SetURL(to)
			request.Out.Host = request.In.Host // which is what the page signs
			request.Out.Header.Del("Accept-Encoding")
		},
		ModifyResponse: func(response *http.Response) error {
			// The page may connect to nothing but its relay, and so not to what stands before that.
			response.Header.Del("Content-Security-Policy")
			if fits, err := path.Match(pattern, response.Request.URL.Path); !fits {
				return err
			}
			b, err := io.ReadAll(response.Body)
			if err != nil {
				return err
			}
			text := change(string(b))
			response.Header.Del("ETag")
			response.Header.Set("Content-Length", fmt.Sprint(len(text)))
			response.ContentLength = int64(len(text))
			response.Body = io.NopCloser(strings.NewReader(text))
			return nil
		},
	})
	t.Cleanup(server.CloseClientConnections)
	return server.URL + "/"
}

// slowPage returns the address of a relay's page whose only way to it is WebTransport, through a network that
// can be made bad.
func slowPage(t *testing.T, r *relay) (address string, road *simnet.Proxy) {
	t.Helper()
	return pageBehind(t, r, false)
}

// pageBehind is slowPage, with WebSocket as well if that is wanted.
func pageBehind(t *testing.T, r *relay, websocket bool) (address string, road *simnet.Proxy) {
	t.Helper()
	road, err := simnet.ListenProxy(simnet.ProxyConfig{Listen: "127.0.0.1:0", To: r.addr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { road.Close() })
	port := netip.MustParseAddrPort(road.Addr().String()).Port()
	return alter(t, r, "/connect.json", func(text string) string {
		var connect map[string]any
		if err := json.Unmarshal([]byte(text), &connect); err != nil {
			t.Error(err)
		}
		connect["webtransport"].(map[string]any)["port"] = port
		if !websocket {
			delete(connect, "websocket")
		}
		b, err := json.Marshal(connect)
		if err != nil {
			t.Error(err)
		}
		return string(b)
	}), road
}

// keepStats keeps the numbers that a page's Worker tells.
const keepStats = `globalThis.wzpStats = {};
	const Real = Worker;
	globalThis.Worker = class extends Real {
		constructor(...args) {
			super(...args);
			this.addEventListener('message', ({ data }) => {
				if (data?.type === 'stats') globalThis.wzpStats = data;
			});
		}
	};`

// TestPageThroughLoss: a page hears through a bad network. How much of what a relay sends gets through is
// printed: QUIC carries it, which is the weak direction, for the relay's library has congestion control that
// nobody can turn off.
func TestPageThroughLoss(t *testing.T) {
	t.Parallel()
	length := 10 * time.Second
	profiles := []simnet.Profile{{Loss: 0.2, Delay: 150 * time.Millisecond}}
	if measuring {
		length = time.Minute
		profiles = []simnet.Profile{
			{Loss: 0.2, Delay: 150 * time.Millisecond}, {Loss: 0.4, Delay: 150 * time.Millisecond},
			{Loss: 0.2, Delay: 400 * time.Millisecond}, {Loss: 0.4, Delay: 400 * time.Millisecond},
		}
	}
	r := startRelay(t)
	for i, profile := range profiles {
		t.Run(fmt.Sprintf("%.0f %% %v", 100*profile.Loss, 2*profile.Delay), func(t *testing.T) {
			profile.Seed = uint64(i + 1)
			address, road := slowPage(t, r)
			room := fmt.Sprint("room", i)
			p := openPage(t, address+room, look{before: keepStats})
			// within 20 s, or the page gives up: a busy machine cannot do that over a bad network
			p.enter("anna")
			if err := road.SetProfile(profile, profile); err != nil {
				t.Fatal(err)
			}
			p.key("rawKeyDown", "m", "KeyM", false) // it only listens
			p.key("keyUp", "m", "KeyM", false)
			talking := startJoin(t, r.addr, room, "--in", "tone", "--out", "none", "--no-dtx", "--name",
				"bert")
			talking.await("joined", soon)
			p.members(2)
			p.until("packets", "globalThis.wzpStats.received >= 50", patience)
			time.Sleep(length)
			var stats struct{ Received, Lost, Late, Concealed, DelayMs float64 }
			p.eval("wzpStats", &stats)
			sent := float64(talking.leave().PacketsSent)
			arrived := stats.Received / (stats.Received + stats.Lost)
			t.Logf("%.0f packets sent; of those since the first, %.1f %% arrived, %.1f %% of them late; "+
				"delay in the page %.0f ms",
				sent, 100*arrived, 100*stats.Late/max(1, stats.Received), stats.DelayMs)
		})
	}
}
