package test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// screen is a window that the page is looked at in.
type screen struct {
	name          string
	width, height int64
	touch         bool
}

var screens = []screen{{"phone", 390, 844, true}, {"desktop", 1280, 800, false}}

// TestScreenshots opens every screen and state of the page, with a fake in the place of the engine: each has
// to fit a narrow phone, and to have a name for whatever can be pressed. With a folder in WZP_SCREENSHOTS it
// takes their pictures, for docs/screenshots.
func TestScreenshots(t *testing.T) {
	t.Parallel()
	files := httptest.NewServer(http.FileServer(http.Dir(filepath.Join("..", "web"))))
	defer files.Close()
	p := openPage(t, files.URL+"/page/scenes.test.html?scene=door", look{})
	var scenes []string
	p.eval(`import('/page/fake-engine.test.js').then(({ scenes }) => Object.keys(scenes))`, &scenes)
	if len(scenes) < 40 {
		t.Fatalf("there are %d scenes", len(scenes))
	}
	folder := os.Getenv("WZP_SCREENSHOTS")
	for _, scene := range scenes {
		p.open(files.URL, scene, "light", screen{"narrow", 320, 568, true})
		p.fits(scene)
		if folder == "" {
			continue
		}
		for _, s := range screens {
			for _, theme := range []string{"light", "dark"} {
				p.open(files.URL, scene, theme, s)
				p.picture(filepath.Join(folder, scene+"-"+s.name+"-"+theme+".webp"))
			}
		}
	}
	for _, line := range p.said() {
		if strings.HasPrefix(line, "exception") || strings.HasPrefix(line, "error") {
			t.Error(line)
		}
	}
}

// open shows a scene.
func (p *page) open(origin, scene, theme string, s screen) {
	p.t.Helper()
	p.do(emulation.SetDeviceMetricsOverride(s.width, s.height, 1, s.touch),
		emulation.SetTouchEmulationEnabled(s.touch),
		chromedp.Navigate(fmt.Sprintf("%s/page/scenes.test.html?scene=%s&theme=%s", origin, scene, theme)))
	p.until("scene "+scene, "document.documentElement.dataset.scene", 20*time.Second)
}

// fits fails the test if something sticks out sideways, or can be pressed and has no name.
func (p *page) fits(scene string) {
	p.t.Helper()
	var problems []string
	p.eval(`(() => {
		const problems = [];
		const { scrollWidth, clientWidth } = document.documentElement;
		if (scrollWidth > clientWidth) problems.push('it is ' + scrollWidth + ' px wide');
		for (const element of document.querySelectorAll('button, a[href], input, select')) {
			const named = element.getAttribute('aria-label') || element.getAttribute('aria-labelledby') ||
				element.innerText?.trim() || element.title || element.labels?.length;
			if (element.checkVisibility() && !named) {
				problems.push('no name: ' + element.outerHTML.slice(0, 120));
			}
		}
		return problems;
	})()`, &problems)
	for _, problem := range problems {
		p.t.Errorf("scene %s: %s", scene, problem)
	}
}

// picture takes a picture of the window.
func (p *page) picture(path string) {
	p.t.Helper()
	p.do(chromedp.ActionFunc(func(ctx context.Context) error {
		webp := cdppage.CaptureScreenshot().WithFormat(cdppage.CaptureScreenshotFormatWebp)
		b, err := webp.WithQuality(80).Do(ctx)
		if err != nil {
			return err
		}
		return os.WriteFile(path, b, 0o600)
	}))
}
