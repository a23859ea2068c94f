package web

import (
	"bytes"
	"compress/gzip"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
)

// dist is the page as tools/page builds it: list.json, which names all of it, and each file compressed.
//
//go:embed dist
var dist embed.FS

// defaultLanguage is that of the page where the browser wants none that there is.
const defaultLanguage = "en"

// pageFiles are what is served.
type pageFiles struct {
	assets    map[string]*asset // by path, without the first slash
	documents map[string]*asset // of the door, by language
}

// asset is a file that is ready to be sent, in one to three codings.
type asset struct {
	contentType     string
	keep            bool   // browsers may keep it for ever: its path says what is in it
	tag             string // of the plain bytes; that of a coding has its name after it
	brotli, gzip    []byte // nil: compressing saves nothing
	plain           func() []byte
	scripts, styles []string // hashes of what stands in it, as a Content-Security-Policy has them
}

// embedded reads dist once.
var embedded = sync.OnceValues(func() (*pageFiles, error) {
	from, err := fs.Sub(dist, "dist")
	if err != nil {
		return nil, err
	}
	return loadPage(from)
})

// loadPage reads what tools/page made.
func loadPage(from fs.FS) (*pageFiles, error) {
	text, err := fs.ReadFile(from, "list.json")
	if err != nil {
		return nil, err
	}
	var list struct {
		Files map[string]struct {
			From            string   // its name in the folder, without .br and .gz
			Keep            bool     // see asset
			Hash            string   // of the plain bytes
			Scripts, Styles []string // see asset
		}
		Documents map[string]string // paths by language
	}
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, fmt.Errorf("list.json: %w", err)
	}
	page := &pageFiles{make(map[string]*asset), make(map[string]*asset)}
	for served, f := range list.Files {
		a := &asset{contentType: contentTypes[path.Ext(f.From)], keep: f.Keep, tag: f.Hash,
			scripts: f.Scripts, styles: f.Styles}
		if err := a.read(from, f.From); err != nil {
			return nil, err
		}
		page.assets[served] = a
	}
	for language, served := range list.Documents {
		page.documents[language] = page.assets[served]
	}
	if page.documents[defaultLanguage] == nil {
		return nil, errors.New("the page is not built: run bash tools/page.sh")
	}
	return page, nil
}

// read finds the bytes of a file.
func (a *asset) read(from fs.FS, name string) error {
	var err error
	if a.gzip, err = fs.ReadFile(from, name+".gz"); errors.Is(err, fs.ErrNotExist) {
		plain, err := fs.ReadFile(from, name)
		a.plain = func() []byte { return plain }
		return err
	}
	if err != nil {
		return err
	}
	a.plain = sync.OnceValue(func() []byte { return unzip(a.gzip) })
	a.brotli, err = fs.ReadFile(from, name+".br")
	return err
}

// unzip is for the few who take nothing compressed. What is embedded was read in the tests.
func unzip(b []byte) []byte {
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil
	}
	plain, err := io.ReadAll(z)
	if err != nil {
		return nil
	}
	return plain
}

// document chooses the door in the language that a browser wants most, of those that there are.
func (p *pageFiles) document(h http.Header) *asset {
	best, weight := p.documents[defaultLanguage], 0.0
	for language, q := range weighed(h, "Accept-Language") {
		language, _, _ = strings.Cut(language, "-") // as choose does, in words/say.js
		if a := p.documents[language]; a != nil && q > weight {
			best, weight = a, q
		}
	}
	return best
}

// serve answers a GET or HEAD with the asset, or with 304 if the browser has it. keep: it need not ask again.
func (a *asset) serve(w http.ResponseWriter, r *http.Request, keep bool) {
	h := w.Header()
	h.Set("Content-Type", a.contentType)
	h.Set("Cache-Control", "no-cache")
	if keep {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	h.Add("Vary", "Accept-Encoding")
	b, etag := a.coded(h, r.Header)
	h.Set("Etag", etag)
	if matches(r.Header, etag) {
		h.Del("Content-Type")
		h.Del("Content-Encoding")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	send(w, r, b)
}

// coded chooses the coding that a browser takes, the smallest first, and returns the bytes with the strong
// validator (RFC 9110, section 8.8.3) that is their own.
func (a *asset) coded(answer, asked http.Header) (b []byte, etag string) {
	takes := make(map[string]bool)
	for coding, q := range weighed(asked, "Accept-Encoding") {
		takes[coding] = q > 0
	}
	switch {
	case a.brotli != nil && takes["br"]:
		answer.Set("Content-Encoding", "br")
		return a.brotli, `"` + a.tag + `-br"`
	case a.gzip != nil && takes["gzip"]:
		answer.Set("Content-Encoding", "gzip")
		return a.gzip, `"` + a.tag + `-gzip"`
	}
	return a.plain(), `"` + a.tag + `"`
}

// send answers with the bytes, or for HEAD with how many there are. Ranges are not served: the files are
// small.
func send(w http.ResponseWriter, r *http.Request, b []byte) {
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(http.StatusOK)
	if r.Method != http.MethodHead {
		_, _ = w.Write(b) // whoever asked may have gone
	}
}

// matches reads If-None-Match (RFC 9110, section 13.1.2), which compares weakly.
func matches(h http.Header, etag string) bool {
	for _, field := range h.Values("If-None-Match") {
		for tag := range strings.SplitSeq(field, ",") {
			if tag = strings.TrimPrefix(strings.TrimSpace(tag), "W/"); tag == etag || tag == "*" {
				return true
			}
		}
	}
	return false
}

// weighed iterates over a field such as Accept-Encoding (RFC 9110, section 12.4.2): values in small letters,
// with their weights. What cannot be read weighs nothing.
func weighed(h http.Header, name string) func(yield func(string, float64) bool) {
	return func(yield func(string, float64) bool) {
		for _, field := range h.Values(name) {
			for part := range strings.SplitSeq(strings.ToLower(field), ",") {
				value, weight, _ := strings.Cut(part, ";")
				q := 1.0
				if text, ok := strings.CutPrefix(strings.ReplaceAll(weight, " ", ""), "q="); ok {
					var err error
					if q, err = strconv.ParseFloat(text, 64); err != nil || q < 0 || q > 1 {
						q = 0
					}
				}
				if !yield(strings.TrimSpace(value), q) {
					return
				}
			}
		}
	}
}
