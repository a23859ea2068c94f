package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// build makes all of web/dist from the sources: files by name.
func build(web string) (map[string][]byte, error) {
	d := newDist()
	names := make(map[string]string)
	for _, w := range otherWorlds {
		if _, err := addStages(d, web, w, 0, names); err != nil {
			return nil, err
		}
	}
	b, err := addStages(d, web, pageWorld, 1, names)
	if err != nil {
		return nil, err
	}
	// What the Worker may connect to, its own answer says, and browsers keep that with it: it is asked for anew.
	worker := d.list.Files[names["worker"]]
	worker.Keep = false
	d.list.Files[names["worker"]] = worker
	if err := addManifest(d, web); err != nil {
		return nil, err
	}
	page, err := readTemplate(web)
	if err != nil {
		return nil, err
	}
	languages, err := catalogues(web)
	if err != nil {
		return nil, err
	}
	for _, language := range languages {
		for _, part := range wordStages { // of the door, only for documents in another language
			script, err := words(web, language, part)
			if err != nil {
				return nil, err
			}
			name := "words-" + part + "-" + language
			if names[name], err = d.addHashed(name+".js", script); err != nil {
				return nil, err
			}
		}
	}
	for _, language := range languages {
		script, err := b.stageScript(0, builtFiles(names, language))
		if err != nil {
			return nil, err
		}
		if err := page.add(d, language, script, names["room"]); err != nil {
			return nil, err
		}
	}
	if err := addKeeper(d, web, names); err != nil {
		return nil, err
	}
	return d.finish()
}

// addStages adds the scripts of a world from a stage on, and notes their names.
func addStages(d *dist, web string, w world, from int, names map[string]string) (*bundler, error) {
	b, err := newBundler(web, w)
	if err != nil {
		return nil, err
	}
	for i := from; i < len(w.stages); i++ {
		name := w.stages[i].name
		script, err := b.stageScript(i, "")
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if names[name], err = d.addHashed(name+".js", script); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// keptWhenUsed are scripts that few ever need.
var keptWhenUsed = []string{"mnemonic", "calls", "line"}

// addKeeper adds the service worker, which knows all names: what is in it changes with every build.
func addKeeper(d *dist, web string, names map[string]string) error {
	type language struct {
		Words    []string `json:"words"`
		Document string   `json:"document"`
		Hash     string   `json:"hash"`
	}
	var files []string
	for name := range names {
		if !strings.HasPrefix(name, "words-") && !slices.Contains(keptWhenUsed, name) {
			files = append(files, names[name])
		}
	}
	slices.Sort(files)
	languages := make(map[string]language)
	for code, document := range d.list.Documents {
		all := []string{names["words-room-"+code], names["words-sheets-"+code]}
		languages[code] = language{all, document, d.list.Files[document].Hash}
	}
	all, err := json.Marshal([]any{files, languages})
	if err != nil {
		return err
	}
	sum := sha256.Sum256(all)
	list := fmt.Sprintf("export const version = '%x';\nexport const [files, languages] = %s;\n", sum[:4], all)
	b := &bundler{web: web}
	options := b.options(api.EntryPoint{InputPath: "keep/sw.js"}, api.Plugin{Name: "kept", Setup: func(build api.PluginBuild) {
		build.OnLoad(api.OnLoadOptions{Filter: `/keep/kept-files\.js$`}, func(api.OnLoadArgs) (api.OnLoadResult, error) {
			return api.OnLoadResult{Contents: &list}, nil
		})
	}})
	options.Format = api.FormatIIFE
	result := api.Build(options)
	if err := failed(result); err != nil {
		return err
	}
	return d.add("sw.js", "sw.js", result.OutputFiles[0].Contents)
}

// catalogues returns the languages that the page speaks.
func catalogues(web string) (languages []string, err error) {
	paths, err := filepath.Glob(filepath.Join(web, "words", "[a-z][a-z].js"))
	for _, path := range paths { // sorted
		languages = append(languages, strings.TrimSuffix(filepath.Base(path), ".js"))
	}
	return languages, err
}

// wordStages are the parts of a catalogue: each comes with what says it.
var wordStages = []string{"door", "room", "sheets", "calls"}

// words makes a script of one part of a catalogue.
func words(web, language, part string) ([]byte, error) {
	b := &bundler{web: web}
	options := b.options(api.EntryPoint{InputPath: "unused"})
	options.EntryPointsAdvanced = nil
	options.Stdin = &api.StdinOptions{ResolveDir: web,
		Contents: "export { " + part + " } from './words/" + language + ".js';"}
	result := api.Build(options)
	if err := failed(result); err != nil {
		return nil, err
	}
	return result.OutputFiles[0].Contents, nil
}

// builtFiles is filesModule in the built page, in a language. A page is one segment below its home.
func builtFiles(names map[string]string, language string) string {
	list, err := json.Marshal(names) // sorted
	if err != nil {
		panic(err) // of strings
	}
	return "export const home = new URL('./', location.href);\nconst names = " + string(list) +
		";\nexport const fileUrl = (part) => new URL(names[part], home).href;\n" +
		"export { door as documentWords } from '../words/" + language + ".js';\n" +
		"export const documentLanguage = '" + language + "';\n"
}

// inputs returns the modules in a metafile of esbuild.
func inputs(metafile string) []string {
	var meta struct {
		Inputs map[string]json.RawMessage `json:"inputs"`
	}
	if err := json.Unmarshal([]byte(metafile), &meta); err != nil {
		panic(err) // esbuild made it
	}
	return slices.Sorted(maps.Keys(meta.Inputs))
}

// template is index.html, where style and scripts are named, and in the built page stand.
type template struct {
	html            string
	style, nomodule []byte
	plain           map[string]map[string]string // by language and key: what it says where no script runs
}

func readTemplate(web string) (*template, error) {
	var t template
	html, err := os.ReadFile(filepath.Join(web, "index.html"))
	if err != nil {
		return nil, err
	}
	t.html = string(html)
	if t.style, err = minify(web, "style.css", api.FormatDefault); err != nil {
		return nil, err
	}
	if t.nomodule, err = minify(web, "page/nomodule.js", api.FormatIIFE); err != nil {
		return nil, err
	}
	t.plain, err = plainTexts(web)
	return &t, err
}

var plainText = regexp.MustCompile(`(?m)^  'plain\.(\w+)': '([^'<&\\]+)',$`)

// plainTexts reads what documents say where no script runs.
func plainTexts(web string) (map[string]map[string]string, error) {
	languages, err := catalogues(web)
	texts := make(map[string]map[string]string)
	for _, language := range languages {
		source, err := os.ReadFile(filepath.Join(web, "words", language+".js"))
		if err != nil {
			return nil, err
		}
		texts[language] = make(map[string]string)
		for _, match := range plainText.FindAllStringSubmatch(string(source), -1) {
			texts[language][match[1]] = match[2]
		}
		if len(texts[language]) != 2 {
			return nil, fmt.Errorf("words/%s.js: the two texts for browsers without a script must be plain", language)
		}
	}
	return texts, err
}

// dataURL is an address that is the drawing itself, and so no request.
func dataURL(svg []byte) string {
	return "data:image/svg+xml," + strings.NewReplacer("#", "%23", `"`, "'", "\n", "").Replace(string(svg))
}

// direction is the attribute of a language that is not written from left to right.
func direction(language string) string {
	if language == "ar" || language == "fa" {
		return ` dir="rtl"`
	}
	return ""
}

var newlines = regexp.MustCompile(`>\s*\n\s*<`)

// add makes the document of a language. What comes next is asked for while the document is still under way, so that
// the line does not lie idle for a round trip.
func (t *template) add(d *dist, language string, script []byte, next string) error {
	html := t.html
	changes := [][2]string{
		{`lang="en"`, `lang="` + language + `"` + direction(language)},
		{`href="icon.svg"`, `href="data:,"`}, // it comes with the room (web/page/tab-sign.js)
		{`<link rel="stylesheet" href="style.css">`, "<style>" + string(t.style) + "</style>"},
		{`<script type="module" src="page/main.js"></script>`, `<link rel="preload" as="fetch" crossorigin href="` + next + `">`},
		{`<script nomodule src="page/nomodule.js"></script>`, "<script nomodule>" + string(t.nomodule) + "</script>" +
			`<script type="module">` + string(script) + "</script>"},
	}
	for key, text := range t.plain["en"] {
		changes = append(changes, [2]string{text, t.plain[language][key]})
	}
	for _, change := range changes {
		if strings.Count(html, change[0]) != 1 {
			return fmt.Errorf("index.html does not have %q once", change[0])
		}
		html = strings.Replace(html, change[0], change[1], 1)
	}
	html = newlines.ReplaceAllString(html, "><")
	name, err := d.addHashed("door-"+language+".html", []byte(html))
	if err != nil {
		return err
	}
	entry := d.list.Files[name]
	entry.Scripts, entry.Styles = []string{policyHash(t.nomodule), policyHash(script)}, []string{policyHash(t.style)}
	d.list.Files[name] = entry
	d.list.Documents[language] = name
	return nil
}

// minify bundles and minifies one file of the sources.
func minify(web, name string, format api.Format) ([]byte, error) {
	b := &bundler{web: web}
	options := b.options(api.EntryPoint{InputPath: name})
	options.Format = format
	result := api.Build(options)
	if err := failed(result); err != nil {
		return nil, err
	}
	return bytes.TrimSpace(result.OutputFiles[0].Contents), nil
}
