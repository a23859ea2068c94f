package test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// keepWatched keeps what a page last told its Worker of whether somebody looks at it.
const keepWatched = `const post = Worker.prototype.postMessage;
	Worker.prototype.postMessage = function (message, ...rest) {
		if (message?.type === 'watched') globalThis.wzpWatched = message.on;
		return post.call(this, message, ...rest);
	};`

// TestPageComesBack: a relay restarts; the page is back in the room by itself, and heard, soon after its
// return.
func TestPageComesBack(t *testing.T) {
	t.Parallel()
	r := startRelay(t)
	p := openPage(t, r.page+"room", look{before: keepWatched}) // beeps each second
	p.enter("anna")
	for _, hidden := range []bool{true, false} { // of which the program of the room is told
		p.eval(fmt.Sprintf(`Object.defineProperty(document, 'hidden', { value: %v, configurable: true });
			document.dispatchEvent(new Event('visibilitychange'))`, hidden), nil)
		p.until("whether somebody looks", fmt.Sprintf("wzpWatched === %v", !hidden), soon)
	}
	http := r.page[len("http://") : len(r.page)-1]
	r.kill()
	p.state("reconnecting", soon)
	again := startRelayAt(t, r.addr, r.data, "--http", http)
	back := time.Now()
	p.state("joined", patience)
	t.Logf("back in the room %v after the relay's return", time.Since(back).Round(time.Millisecond))
	listener := join(t, again.addr, "room", "--in", "none", "--out", "none")
	listener.hears("anna")
	listener.leave()
}

// TestPageWithout: what a browser lacks is replaced, or named.
func TestPageWithout(t *testing.T) {
	t.Parallel()
	r := startRelay(t)
	t.Run("WebTransport", func(t *testing.T) {
		const script = "delete globalThis.WebTransport"
		p := openPage(t, alter(t, r, "/worker-*.js",
			func(text string) string { return script + ";" + text })+"room", look{before: script})
		p.enter("anna")
		if path := p.path(); path != "websocket" {
			t.Errorf("the page takes %s", path)
		}
	})
	for what, script := range map[string]string{
		"WebCodecs": "delete globalThis.AudioEncoder; delete globalThis.CSSStyleSheet; delete Document.prototype.adoptedStyleSheets",
		"X25519": `const make = SubtleCrypto.prototype.generateKey;
			SubtleCrypto.prototype.generateKey = function (algorithm, ...rest) {
				if ((algorithm.name ?? algorithm) === 'X25519') {
					return Promise.reject(new DOMException('no X25519', 'NotSupportedError'));
				}
				return make.call(this, algorithm, ...rest);
			}`,
	} {
		t.Run(what, func(t *testing.T) {
			p := openPage(t, r.page+"room", look{before: script})
			p.until("the page says what is missing", fmt.Sprintf(
				"document.querySelector('[data-ended=support]')?.innerText.includes(%q)", what), soon)
		})
	}
}

// TestPageVectors runs the vectors that Go's packages are tested with in a real browser.
func TestPageVectors(t *testing.T) {
	t.Parallel()
	p := openPage(t, sources(t)+"/page/scenes.test.html", look{})
	vectors := make(map[string]json.RawMessage)
	for _, name := range []string{"sframe", "hpke", "e2ee", "call"} {
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
	if result.Ran < 650 || len(result.Failed) > 0 {
		t.Errorf("%d checks ran, these failed: %q", result.Ran, result.Failed)
	}
}

// TestPageLongTalk talks with a page for long: its memory does not grow. Whether its latency does is printed.
func TestPageLongTalk(t *testing.T) {
	t.Parallel()
	length := 15 * time.Second
	if measuring {
		length = 10 * time.Minute
	}
	r := startRelay(t)
	p := openPage(t, r.page+"room", look{flags: []string{"enable-blink-features=ForceEagerMeasureMemory"}})
	p.enter("anna")
	join(t, r.addr, "room", "--in", "tone", "--out", "none", "--no-dtx", "--name", "bert")
	p.members(2)
	p.eval("wzpEar.stop()", nil)
	time.Sleep(10 * time.Second)
	memory, delay := p.use()
	time.Sleep(length)
	memoryAfter, delayAfter := p.use()
	t.Logf("memory %.1f MB, %v later %.1f MB; delay %.0f ms, then %.0f ms", memory/1e6, length,
		memoryAfter/1e6, delay, delayAfter)
	if memoryAfter > memory+3e6 {
		t.Errorf("the memory grew from %.1f MB to %.1f MB", memory/1e6, memoryAfter/1e6)
	}
}

// use returns the bytes that page and Worker use after a collection, and how long sound waits in the page, in
// ms.
func (p *page) use() (memory, delay float64) {
	p.t.Helper()
	p.eval("performance.measureUserAgentSpecificMemory().then(({ bytes }) => bytes)", &memory)
	p.eval("Number(document.documentElement.dataset.delay)", &delay)
	return memory, delay
}
