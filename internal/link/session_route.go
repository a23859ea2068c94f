package link

import (
	"github.com/wzp-voice/wzp/internal/seal"
	"github.com/wzp-voice/wzp/internal/udp"
	"github.com/wzp-voice/wzp/internal/wire"
)

// unusedKey is in the routes to browsers, where SendMediaAll touches it.
var unusedKey, _ = seal.NewSealer(seal.Secret{}, 0).Key(0)

// route is what sending to the remote takes, in one piece: a fan-out should not have to follow pointers for
// it. It is never changed, only replaced.
type route struct {
	key    seal.Key
	remote wire.ConnID
	path   udp.Path
	web    *webConn // not nil: the remote is a browser, and nothing else counts
}

// setOutLocked makes a the attachment to send with; nil stops sending. The caller holds s.mu.
func (s *Session) setOutLocked(a *attachment) {
	if old := s.out.Swap(a); old != a && (old.ofBrowser() || a.ofBrowser()) {
		s.urgentOut.pace.forget()
		s.widenLocked()
	}
	s.rerouteLocked()
}

// setPathLocked makes path the one to send to. The caller holds s.mu.
func (s *Session) setPathLocked(path udp.Path) {
	if old := s.path.Swap(&path); old == nil || old.Remote != path.Remote {
		s.urgentOut.pace.forget()
		s.widenLocked()
	}
	s.rerouteLocked()
}

// rerouteLocked makes the route anew. The caller holds s.mu.
func (s *Session) rerouteLocked() {
	out, path := s.out.Load(), s.path.Load()
	if out.ofBrowser() {
		s.route.Store(&route{key: unusedKey, web: out.web})
		return
	}
	if out == nil || path == nil {
		s.route.Store(nil)
		return
	}
	if key, ok := out.sealer.Key(s.counter.Load()); ok {
		s.route.Store(&route{key: key, remote: out.remote, path: *path})
	}
}
