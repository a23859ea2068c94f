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
	return mux
}

// axe fails the test with everything that axe finds in what the page shows, in both themes: with all of its
// rules, also those that it tries out. Only the colours differ by theme.
func (p *page) axe(t *testing.T) {
	t.Helper()
	var problems []string
	p.eval(`(async () => {
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
		const problems = [];
		const run = async (options) => {
			const { violations } = await axe.run({ ...options, resultTypes: ['violations'] });
			const theme = document.documentElement.dataset.theme;
			for (const { id, nodes } of violations) for (const { html, failureSummary } of nodes)
				problems.push([id, theme, html.slice(0, 160), failureSummary].join(' | '));
		};
		const root = document.documentElement;
		const before = root.dataset.theme;
		await run({ rules });
		root.dataset.theme = 'dark';
		await run({ runOnly: ['color-contrast'] });
		if (before) root.dataset.theme = before; else delete root.dataset.theme;
		still.remove();
		return problems;
	})().catch((error) => ['make deps installs axe: ' + (error.message ?? error.type)])`, &problems)
	for _, problem := range problems {
		t.Error(problem)
	}
}

// fitsTurned fails the test if something sticks out sideways where people read from right to left.
func (p *page) fitsTurned(t *testing.T) {
	t.Helper()
	p.eval("document.documentElement.dir = 'rtl'", nil)
	p.fits(t)
	p.eval("document.documentElement.dir = 'ltr'", nil)
}

// fits fails the test if something sticks out sideways.
func (p *page) fits(t *testing.T) {
	t.Helper()
	var problems []string
	p.eval(fits, &problems)
	for _, problem := range problems {
		t.Error(problem)
	}
}

// fits finds what is cut off at a side, or out of its sheet.
var fits = fmt.Sprintf(`(() => {
	const problems = [];
	const dir = document.dir || 'ltr';
	const { scrollWidth, clientWidth } = document.documentElement;
	if (scrollWidth > clientWidth) problems.push(dir + ': it is ' + scrollWidth + ' px wide');
	const sheet = document.querySelector('dialog[open]');
	for (const element of (sheet ?? document.body).querySelectorAll('*')) {
		if (!element.checkVisibility() || element.closest('.unseen, svg')) continue;
		const { left, right, width } = element.getBoundingClientRect();
		const box = (element.closest('dialog, .card, .person') ?? document.body).getBoundingClientRect();
		if (width > 0 && (left < box.left - %[1]d || right > box.right + %[1]d))
			problems.push(dir + ': sticks out: ' + element.outerHTML.slice(0, 120));
		const clips = getComputedStyle(element).overflowX !== 'visible';
		const cut = clips && element.scrollWidth > element.clientWidth + 1;
		if (cut && element.matches('.name, h1, h2, .talk-label, .talk-hint, .person-note'))
			problems.push(dir + ': cut off: ' + element.outerHTML.slice(0, 160));
	}
	return problems;
})()`, 4) // px: a ring around a face that talks
