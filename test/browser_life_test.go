package test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/wzp-voice/wzp/internal/audio/speech"
)

// TestPageComesBack: a relay restarts; the page is back in the room by itself, and heard, soon after its return.
func TestPageComesBack(t *testing.T) {
	t.Parallel()
	r := startRelay(t)
	p := openPage(t, r.page+"room", look{}) // beeps each second
	p.enter("anna")
	http := r.page[len("http://") : len(r.page)-1]
	r.kill()
	p.state("reconnecting", 20*time.Second)
	again := startRelayAt(t, r.addr, r.data, "--http", http)
	back := time.Now()
	p.state("joined", 20*time.Second)
	took := time.Since(back)
	t.Logf("back in the room %v after the relay's return", took.Round(time.Millisecond))
	if took > latency(3*time.Second, 10*time.Second) {
		t.Errorf("back in the room after %v, want 3 s", took)
	}
	listener := join(t, again.addr, "room", "--in", "none", "--out", filepath.Join(t.TempDir(), "heard.wav"))
	time.Sleep(5 * time.Second)
	if s := listener.leave().talker(t, "anna"); s.Received < 20 {
		t.Errorf("%d packets came after the restart", s.Received)
	}
}

// TestPageWithout: what a browser lacks is replaced, or named.
func TestPageWithout(t *testing.T) {
	r := startRelay(t)
	t.Run("WebTransport", func(t *testing.T) {
		p := openPage(t, r.page+"room", look{before: withoutInWorkers("delete globalThis.WebTransport")})
		p.enter("anna")
		if path := p.path(); path != "websocket" {
			t.Errorf("the page takes %s", path)
		}
	})
	for what, script := range map[string]string{
		"WebCodecs": "delete globalThis.AudioEncoder",
		"X25519": `const make = SubtleCrypto.prototype.generateKey;
			SubtleCrypto.prototype.generateKey = function (algorithm, ...rest) {
				if ((algorithm.name ?? algorithm) === 'X25519') return Promise.reject(new DOMException('no X25519', 'NotSupportedError'));
				return make.call(this, algorithm, ...rest);
			}`,
	} {
		t.Run(what, func(t *testing.T) {
			p := openPage(t, r.page+"room", look{before: script})
			p.until("the page says what is missing", fmt.Sprintf(
				"document.querySelector('[data-ended=support]')?.innerText.includes(%q)", what), 20*time.Second)
		})
	}
}

// withoutInWorkers runs a script in the page and in each of its Workers, before their own.
func withoutInWorkers(script string) string {
	source, err := json.Marshal(script)
	if err != nil {
		panic(err)
	}
	return script + `;
	const Real = globalThis.Worker;
	globalThis.Worker = class extends Real {
		constructor(address, options) {
			const code = ` + string(source) + ` + ';await import(' + JSON.stringify(new URL(address, location.href).href) + ')';
			super(URL.createObjectURL(new Blob([code], { type: 'text/javascript' })), options);
		}
	};`
}

// TestPageVectors runs the vectors that Go's packages are tested with in a real browser.
func TestPageVectors(t *testing.T) {
	t.Parallel()
	r := startRelay(t)
	p := openPage(t, r.page, look{})
	p.state("door", 30*time.Second)
	vectors := make(map[string]json.RawMessage)
	for _, name := range []string{"sframe", "hpke", "e2ee"} {
		b, err := os.ReadFile(filepath.Join("..", "testdata", "vectors", name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		vectors[name] = b
	}
	all, err := json.Marshal(vectors)
	if err != nil {
		t.Fatal(err)
	}
	var result struct {
		Ran    int      `json:"ran"`
		Failed []string `json:"failed"`
	}
	p.eval(fmt.Sprintf(`import('/e2ee/vectors.js').then(({ runVectors }) => {
		const vectors = %s;
		return runVectors(async (name) => vectors[name]);
	})`, all), &result)
	t.Logf("%d checks", result.Ran)
	if result.Ran < 3000 || len(result.Failed) > 0 {
		t.Errorf("%d checks ran, these failed: %q", result.Ran, result.Failed)
	}
}

// TestPageLongTalk talks into a page for long: neither its memory nor its latency grows.
func TestPageLongTalk(t *testing.T) {
	t.Parallel()
	length := 30 * time.Second
	if measuring {
		length = 10 * time.Minute
	}
	r := startRelay(t)
	p := openPage(t, r.page+"room", look{})
	p.enter("anna")
	join(t, r.addr, "room", "--in", "tone", "--out", "none", "--no-dtx", "--name", "bert")
	in, _ := sound(t, speech.Keywords, 0)
	_ = in
	p.members(2)
	time.Sleep(10 * time.Second)
	heap, delay := p.use()
	time.Sleep(length)
	heapAfter, delayAfter := p.use()
	t.Logf("heap %.1f MB, then %.1f MB; delay %.0f ms, then %.0f ms", heap/1e6, heapAfter/1e6, delay, delayAfter)
	if heapAfter > heap+4e6 {
		t.Errorf("the heap grew from %.1f MB to %.1f MB", heap/1e6, heapAfter/1e6)
	}
	if delayAfter > delay+40 {
		t.Errorf("the delay grew from %.0f ms to %.0f ms", delay, delayAfter)
	}
}

// use returns the bytes of the heap of the page and its Worker after a collection, and how long sound waits in the page, in ms.
func (p *page) use() (heap, delay float64) {
	p.t.Helper()
	p.eval("gc(); gc(); performance.memory.usedJSHeapSize", &heap)
	p.eval("Number(document.documentElement.dataset.delay)", &delay)
	return heap, delay
}
