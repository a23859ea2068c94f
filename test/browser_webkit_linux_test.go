package test

import "testing"

// TestWebKit: WebKitGTK, which has no WebTransport, talks and hears by WebSocket.
func TestWebKit(t *testing.T) {
	t.Parallel()
	r := startRelay(t)
	talkWith(t, r, "websocket", openWebKit(t, r.page+"room"))
}
