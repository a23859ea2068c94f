package relay

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/drops"
	"github.com/wzp-voice/wzp/internal/wire"
	"github.com/wzp-voice/wzp/web"
)

// TestLeaveByHTTP: whoever has the secret of a stay ends that one, and nobody else learns or ends anything.
func TestLeaveByHTTP(t *testing.T) {
	inMesh(t, func(m *mesh) {
		n := m.running(2, "AB")
		phone, tablet := &device{id: newIdentity(100)}, &device{id: newIdentity(101)}
		other := n[0].joined(globalRoom)
		here, far := phone.joined(n[0].lab, globalRoom), tablet.joined(n[1].lab, globalRoom)
		m.agree("all are there", 5*time.Second, other, here, far)
		desk := newLeaveDesk(func(*http.Request) bool { return true }, n[0].relay)
		post := func(body []byte) *httptest.ResponseRecorder {
			q := httptest.NewRequest(http.MethodPost, web.LeavePath, bytes.NewReader(body))
			w := httptest.NewRecorder()
			desk.ServeHTTP(w, q)
			return w
		}
		request := func(room string, stay wire.StayProof) []byte {
			return wire.AppendLeaveRequest(nil, &wire.LeaveRequest{Room: room, Stay: stay})
		}
		wrong, unknown := *phone.stay, *phone.stay
		wrong.Secret[0]++
		unknown.Entry[31]++ // the member id is still right
		for what, body := range map[string][]byte{
			"a wrong secret": request(globalRoom, wrong), "another entry": request(globalRoom, unknown),
			"another room": request("ops-2", *phone.stay), "another relay's": request(globalRoom, *tablet.stay),
			"nobody's": request(globalRoom, wire.StayProof{}),
		} {
			if w := post(body); w.Code != http.StatusNoContent || w.Body.Len() > 0 {
				t.Errorf("%s: %d %s", what, w.Code, w.Body)
			}
		}
		for what, body := range map[string][]byte{
			"nothing": nil, "too much": append(request(globalRoom, *phone.stay), 0),
			"far too much": bytes.Repeat([]byte("x"), 1<<20),
		} {
			if w := post(body); w.Code != http.StatusBadRequest {
				t.Errorf("%s: %d", what, w.Code)
			}
		}
		time.Sleep(time.Second)
		m.agree("all are still there", time.Second, other, here, far)
		if w := post(request(globalRoom, *phone.stay)); w.Code != http.StatusNoContent {
			t.Errorf("the right one: %d %s", w.Code, w.Body)
		}
		m.agree("one has left", 2*time.Second, other, far)
		if w := post(request(globalRoom, *phone.stay)); w.Code != http.StatusNoContent {
			t.Errorf("once more: %d", w.Code)
		}
		n[0].want("A", map[string]float64{"leaves_total": 1, "members": 1})
	})
}

// TestLeaveFlood: who sends too many requests keeps nobody else from leaving, until all together are too
// many; then members leave as they would without.
func TestLeaveFlood(t *testing.T) {
	inLab(t, Config{}, func(l *lab) {
		desk := newLeaveDesk(func(*http.Request) bool { return true }, l.relay)
		post := func(from string) int {
			q := httptest.NewRequest(http.MethodPost, web.LeavePath, strings.NewReader("?"))
			q.RemoteAddr = from
			w := httptest.NewRecorder()
			desk.ServeHTTP(w, q)
			return w.Code
		}
		taken := 0
		for range 1000 {
			if post("192.0.2.1:1000") != http.StatusTooManyRequests {
				taken++
			}
		}
		if taken != leaveBurst || l.dropped(drops.LeaveRate) != 1000-leaveBurst {
			t.Errorf("%d requests of one address are taken, %v counted", taken, l.dropped(drops.LeaveRate))
		}
		if post("192.0.2.2:1000") == http.StatusTooManyRequests || post("127.0.0.1:1") == http.StatusTooManyRequests {
			t.Error("others are kept out by one")
		}
		time.Sleep(10 * time.Second)
		for i := range 3 * leaveBurstAll {
			if post(fmt.Sprintf("10.%d.%d.1:1", i>>8, i&255)) != http.StatusTooManyRequests {
				taken++
			}
		}
		if taken -= leaveBurst; taken != leaveBurstAll {
			t.Errorf("%d requests are taken in all, want %d", taken, leaveBurstAll)
		}
		if post("nowhere") != http.StatusTooManyRequests {
			t.Error("a request from nowhere is taken")
		}
	})
}

// TestLeavePath: the relay's port takes requests to leave from pages that may use it; a room may be called
// so.
func TestLeavePath(t *testing.T) {
	r, stop := start(t, Config{HTTP: "127.0.0.1:0"})
	defer stop()
	body := wire.AppendLeaveRequest(nil, &wire.LeaveRequest{Room: "room"})
	for _, test := range []struct {
		method, origin string
		want           int
	}{
		{http.MethodPost, "http://" + r.HTTPAddr().String(), http.StatusNoContent},
		{http.MethodPost, "http://localhost:8081", http.StatusNoContent}, // a page of wzp page
		{http.MethodPost, "https://evil.example", http.StatusForbidden},
		{http.MethodPost, "", http.StatusForbidden},
		{http.MethodPost, "null", http.StatusForbidden},
		{http.MethodGet, "", http.StatusOK},
		{http.MethodPut, "http://localhost:8081", http.StatusMethodNotAllowed},
	} {
		q := httptest.NewRequest(test.method, web.LeavePath, bytes.NewReader(body))
		q.Host = r.HTTPAddr().String()
		if test.origin != "" {
			q.Header.Set("Origin", test.origin)
		}
		w := httptest.NewRecorder()
		if r.site.server.Handler.ServeHTTP(w, q); w.Code != test.want {
			t.Errorf("%s from %q: %d, want %d", test.method, test.origin, w.Code, test.want)
		}
	}
}
