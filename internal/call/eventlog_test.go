package call

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/eventlog"
)

// logging has a person who has not joined yet note what happens in a file.
func (p *person) logging(path string) {
	p.lab.t.Helper()
	log, err := eventlog.Open(path, nil)
	if err != nil {
		p.lab.t.Fatal(err)
	}
	p.config.EventLog = log
	p.lab.t.Cleanup(func() { log.Close() })
}

// TestEventLog has two people talk, one after the other, and proves from what they noted that each packet was
// heard once.
func TestEventLog(t *testing.T) {
	dir := t.TempDir()
	var paths []string
	inLab(t, func(l *lab) {
		var people []*person
		for _, name := range []string{"anna", "bert", "carl"} {
			p := l.person(name)
			paths = append(paths, filepath.Join(dir, name))
			p.logging(paths[len(paths)-1])
			if err := p.join("r"); err != nil {
				t.Fatal(err)
			}
			people = append(people, p)
		}
		time.Sleep(time.Second) // until all know of carl: who comes while anna talks gets no keys of before
		for _, p := range people[:2] {
			if err := p.say(&samples{pcm: tone(2 * time.Second)}, PublishConfig{}).Err(); err != nil {
				t.Error(err)
			}
		}
		time.Sleep(2 * time.Second)
		for _, p := range people {
			p.leave()
			if err := p.config.EventLog.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	logs, err := eventlog.Find(paths)
	if err != nil {
		t.Fatal(err)
	}
	a := eventlog.NewAnalysis(100*time.Millisecond, time.Second)
	for _, log := range logs {
		if err := a.AddLog(log); err != nil {
			t.Fatal(err)
		}
	}
	r := a.Report()
	v := r.Verdict
	if !v.ExactlyOnce || v.Talkers != 2 || v.Listeners != 3 || v.Sent < 200 || v.Expected != 2*v.Sent ||
		v.Late != 0 {
		t.Errorf("%+v\n%+v", v, r.Deliveries)
	}
	for _, d := range r.Deliveries {
		if d.Talker.Name != "anna" && d.Talker.Name != "bert" || d.Room != "r" {
			t.Errorf("%+v", d)
		}
	}
}
