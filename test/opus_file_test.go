package test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/audio"
	"github.com/wzp-voice/wzp/internal/audio/speech"
)

// TestOpusFiles: an Ogg Opus file is said, and what is heard goes into such files: one of all, and one a
// talker.
func TestOpusFiles(t *testing.T) {
	t.Parallel()
	r := startRelay(t)
	out, mix := folder(t), filepath.Join(t.TempDir(), "mix.opus")
	each := join(t, r.addr, "room", "--in", "none", "--out", out, "--format", "opus")
	all := join(t, r.addr, "room", "--in", "none", "--out", mix)

	in := filepath.Join(t.TempDir(), "talk.opus")
	w, err := audio.CreateOpus(in)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.WriteFrame(speech.Must(t, speech.Center, 2*time.Second)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	talker := startJoin(t, r.addr, "room", "--in", in, "--out", "none", "--name", "ana")
	if sent := talker.finish(patience); sent.PacketsSent == 0 {
		t.Error("nothing was said")
	}
	each.hears("ana")
	all.hears("ana")
	each.leave()
	all.leave()
	for _, file := range []string{onlyFile(t, filepath.Join(out, "ana-*.opus")), mix} {
		if len(heard(t, file)) == 0 {
			t.Errorf("%s is empty", file)
		}
	}
}
