package test

import (
	"testing"
	"time"
)

// TestBytesOnTheWire: beside the codec's bytes a media packet costs at most 60, headers of IP and UDP
// included, and listening costs at most a twentieth of what is heard.
func TestBytesOnTheWire(t *testing.T) {
	t.Parallel()
	const codec = 60 // bytes of Opus: 24 kbit/s for 20 ms
	r := startRelay(t)
	mouth, ear := newTap(t, r.addr), newTap(t, r.addr)
	listener := join(t, ear.addr(), "room", "--in", "none", "--out", "none")
	sent := join(t, mouth.addr(), "room", "--in", "tone", "--out", "none", "--no-dtx", "--for", "8s").finish(time.Minute)
	up, down := ear.sent(), ear.received()
	listener.leave()

	if want := codec * sent.PacketsSent; sent.PayloadBytesSent != want {
		t.Errorf("%d packets hold %d codec bytes, want %d", sent.PacketsSent, sent.PayloadBytesSent, want)
	}
	talk := media(mouth.sent())
	if len(talk) != int(sent.PacketsSent) {
		t.Errorf("%d packets with media are on the wire, the summary counts %d", len(talk), sent.PacketsSent)
	}
	overhead := float64(totalBytes(talk))/float64(len(talk)) - codec
	all := float64(totalBytes(mouth.sent()))/float64(len(talk)) - codec
	t.Logf("beside the codec's %d bytes a media packet has %.2f; with everything else that is sent, %.2f", codec, overhead, all)
	if overhead > 60 {
		t.Errorf("a media packet has %.2f bytes beside the codec's, want at most 60", overhead)
	}

	begin := media(down)[0].at.Add(2 * time.Second) // when joining is over
	up, down = since(up, begin), since(down, begin)
	back := float64(totalBytes(up)) / float64(totalBytes(down))
	t.Logf("a listener sends %.2f %% of the bytes that it receives (%d in %d packets)", 100*back, totalBytes(up), len(up))
	if back > 0.05 {
		t.Errorf("a listener sends %.2f %% of the bytes that it receives, want at most 5 %%", 100*back)
	}
}
