package test

import (
	"fmt"
	"net/http"
	"path/filepath"
	"testing"
)

// axePath is where make deps puts axe, which finds mistakes in accessibility.
var axePath = filepath.Join("..", "tools", "web", "node_modules", "axe-core", "axe.min.js")

// webFiles serves the page's sources and, as /axe.js, axe.
func webFiles() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServer(http.Dir(filepath.Join("..", "web"))))
	mux.HandleFunc("/axe.js", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, axePath) })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=3600, immutable")
		mux.ServeHTTP(w, r)
	})
}

// axe fails the test with everything that axe finds in what the page shows: with all of its rules, also those
// that it tries out.
func (p *page) axe(t *testing.T) {
	t.Helper()
	p.finds(t, `(async () => {
		if (!globalThis.axe) {
			const script = Object.assign(document.createElement('script'), { src: '/axe.js' });
			await new Promise((done, failed) => {
				Object.assign(script, { onload: done, onerror: failed });
				document.head.append(script);
			});
		}
		const rules = Object.fromEntries(axe.getRules().map(({ ruleId }) => [ruleId, { enabled: true }]));
		delete rules['color-contrast-enhanced']; // of level AAA
		// Colours on their way are of no theme, and what lies under the dock can be scrolled out of it.
		const still = Object.assign(document.createElement('style'), { textContent:
			'* { transition: none !important } .dock { position: static !important }' });
		document.head.append(still);
		const alike = { exclude: ['.person:nth-child(n+30)'] };
		const { violations } = await axe.run(alike, { rules, resultTypes: ['violations'] });
		still.remove();
		return violations.flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) =>
			[id, html.slice(0, 160), failureSummary].join(' | ')));
	})().catch((error) => ['make deps installs axe: ' + (error.message ?? error.type)])`)
}

// finds fails the test with every problem that a script returns.
func (p *page) finds(t *testing.T, script string) {
	t.Helper()
	var problems []string
	p.eval(script, &problems)
	for _, problem := range problems {
		t.Error(problem)
	}
}

// fits finds what is cut off at a side, or out of its sheet, and words that are cut in two.
var fits = fmt.Sprintf(`(() => {
	const problems = [];
	const { lang } = document.documentElement;
	const { scrollWidth, clientWidth } = document.documentElement;
	if (scrollWidth > clientWidth) problems.push(lang + ': it is ' + scrollWidth + ' px wide');
	const sheet = document.querySelector('dialog[open]');
	const range = document.createRange();
	for (const element of (sheet ?? document.body).querySelectorAll('*')) {
		if (!element.checkVisibility({ contentVisibilityAuto: true })) continue;
		if (element.closest('.unseen, svg')) continue;
		const { left, right, width } = element.getBoundingClientRect();
		const box = (element.closest('dialog, .card, .person') ?? document.body).getBoundingClientRect();
		if (width > 0 && (left < box.left - %[1]d || right > box.right + %[1]d))
			problems.push(lang + ': sticks out: ' + element.outerHTML.slice(0, 120));
		const clips = getComputedStyle(element).overflowX !== 'visible';
		const cut = clips && element.scrollWidth > element.clientWidth + 1;
		if (cut && element.matches('.name, h1, h2, .talk-label, .talk-hint, .person-note'))
			problems.push(lang + ': cut off: ' + element.outerHTML.slice(0, 160));
		for (const node of element.childNodes) {
			if (node.nodeType !== Node.TEXT_NODE || element.matches('textarea, option')) continue;
			for (const { 0: word, index } of node.data.matchAll(/[\p{L}\p{M}\p{N}\u200c]{2,}/gu)) {
				range.setStart(node, index);
				range.setEnd(node, index + word.length);
				const lines = new Set([...range.getClientRects()].map(({ bottom }) => Math.round(bottom)));
				if (lines.size > 1 && word.length < %[2]d) problems.push(lang + ': cut in two: ' + word);
			}
		}
	}
	return problems;
})()`, 4, // px: a ring around a face that talks
	25) // letters of a word that no line may be long enough for

// foreign finds words in Latin letters that are neither a value, which is kept apart from the text around
// it, nor a name of the Web.
const foreign = `(() => {
	const known = new RegExp('https|Web(Transport|Socket|Codecs)|AudioWorklet|IndexedDB|module workers|' +
		'Opus|X25519|Ed25519|UDP|QR|Wi-Fi|Chrome|Edge|Firefox|Safari|Esc', 'g');
	const values = 'svg, bdi, kbd, [dir=ltr], [lang]:not(html), .brand-name';
	const problems = [];
	const look = (text) => {
		const rest = text.replace(/\u2068[^\u2069]*\u2069/g, '').replace(known, '');
		if (/[a-z]/i.test(rest)) problems.push('it is in another language: ' + text);
	};
	const said = ['aria-label', 'title', 'alt', 'placeholder', 'aria-valuetext', 'aria-description'];
	for (const element of document.body.querySelectorAll('*')) {
		if (!element.checkVisibility() || element.closest(values)) continue;
		for (const node of element.childNodes) if (node.nodeType === Node.TEXT_NODE) look(node.data);
		for (const name of said) look(element.getAttribute(name) ?? '');
	}
	return problems;
})()`
