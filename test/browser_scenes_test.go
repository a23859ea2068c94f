package test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
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

var (
	screens = []screen{{"phone", 390, 844, true}, {"desktop", 1280, 800, false}}
	narrow  = screen{"narrow", 320, 568, true} // of which no pictures are taken
)

// rightToLeft are scenes that are also pictured in languages that are read from right to left.
var rightToLeft = []string{"door-private", "room-talking", "changed-key", "sheet-settings", "door-people", "sheet-contact-link",
	"call-incoming", "call-incoming-room", "call-two", "calls-news"}

// TestScreenshots opens every screen and state of the page, with a fake in place of the engine: each has
// to fit a narrow phone in English and in Arabic, the one light and the other dark, and axe finds nothing;
// nor is there English in the Arabic one. With a folder in WZP_SCREENSHOTS it takes their pictures, for
// docs/screenshots.
func TestScreenshots(t *testing.T) {
	t.Parallel()
	origin := sources(t)
	p := openPage(t, origin+"/page/scenes.test.html?scene=door", look{})
	var scenes []string
	p.eval(`import('/page/fake-engine.test.js').then(({ scenes }) => Object.keys(scenes))`, &scenes)
	if len(scenes) < 40 {
		t.Fatalf("there are %d scenes", len(scenes))
	}
	folder := os.Getenv("WZP_SCREENSHOTS")
	for i, scene := range scenes {
		t.Run(scene, func(t *testing.T) {
			if i%10 == 9 { // what many scenes leave behind makes a page slow
				p.open(origin, "door", "light", narrow)
			}
			p.in(narrow)
			p.eval(fmt.Sprintf("showScene(%q, 'light', 'en')", scene), nil)
			p.finds(t, fits)
			p.axe(t)
			p.eval(fmt.Sprintf("showScene(%q, 'dark', 'ar')", scene), nil)
			p.finds(t, fits)
			p.finds(t, foreign)
			p.axe(t)
			if folder != "" {
				p.pictures(origin, scene, folder)
			}
		})
	}
	for _, line := range p.said() {
		if strings.HasPrefix(line, "exception") || strings.HasPrefix(line, "error") {
			t.Error(line)
		}
	}
}

// pictures takes all pictures of a scene.
func (p *page) pictures(origin, scene, folder string) {
	p.t.Helper()
	for _, s := range screens {
		for _, theme := range []string{"light", "dark"} {
			p.open(origin, scene, theme, s)
			p.picture(filepath.Join(folder, scene+"-"+s.name+"-"+theme+".webp"))
		}
		if !slices.Contains(rightToLeft, scene) {
			continue
		}
		for _, language := range []string{"ar", "fa"} {
			p.eval(fmt.Sprintf("showScene(%q, 'light', %q)", scene, language), nil)
			p.picture(filepath.Join(folder, scene+"-"+s.name+"-"+language+".webp"))
		}
	}
}

// sources serves the sources of the page, of which tests use some as they are, and returns the origin.
func sources(t *testing.T) string {
	t.Helper()
	files := httptest.NewServer(webFiles())
	t.Cleanup(files.Close)
	return files.URL
}

// in makes the window another one.
func (p *page) in(s screen) {
	p.t.Helper()
	p.do(emulation.SetDeviceMetricsOverride(s.width, s.height, 1, s.touch),
		emulation.SetTouchEmulationEnabled(s.touch))
}

// open shows a scene.
func (p *page) open(origin, scene, theme string, s screen) {
	p.t.Helper()
	p.in(s)
	p.do(chromedp.Navigate(fmt.Sprintf("%s/page/scenes.test.html?scene=%s&theme=%s", origin, scene, theme)))
	p.until("scene "+scene, "document.documentElement.dataset.scene", 20*time.Second)
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
