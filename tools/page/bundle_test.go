package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// scripts makes those of all stages of a page that has these modules, and nothing else.
func scripts(t *testing.T, modules map[string]string) (all string, err error) {
	t.Helper()
	web := t.TempDir()
	write := func(name, text string) {
		path := filepath.Join(web, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range pageWorld.stages {
		write(s.entry, "export {} from './empty.js';")
	}
	for name, text := range modules {
		write(name, text)
	}
	for _, folder := range []string{"page", "identity"} {
		write(folder+"/empty.js", "")
	}
	b, err := newBundler(web, pageWorld)
	for i := 0; i < len(pageWorld.stages) && err == nil; i++ {
		var script []byte
		script, err = b.stageScript(i, "")
		all += string(script)
	}
	return all, err
}

// TestOneCopy: what two stages need is in one script alone, however it is imported; what cannot be handed over is an
// error, not a second copy or a value that does not change any more.
func TestOneCopy(t *testing.T) {
	const (
		state = "export const state = { is: 'the one' };\nexport const other = 'two';\nexport default state;\n"
		cycle = "export const a = () => 'the one' + b();\nimport { b } from './b.js';\n"
		let   = "let n = 'the one';\nexport const set = (to) => { n = to; };\n"
	)
	for name, c := range map[string]struct {
		a, b        string // modules
		main, later string // what the door imports, and what the room or the sheets do
		fails       string
	}{
		"both":             {a: state, main: "{ state } from './a.js'", later: "{ state, other as o } from './a.js'"},
		"the later ones":   {a: state, later: "{ state } from './a.js'"},
		"behind another":   {a: state, b: "export { state as s } from './a.js';", main: "{ s } from './b.js'", later: "{ s } from './b.js'"},
		"besides another":  {a: state, b: "export { state } from './a.js';", main: "{ state } from './a.js'", later: "{ state } from './b.js'"},
		"side effect":      {a: state + "globalThis.n = state;", main: "'./a.js'", later: "'./a.js'"},
		"cycle":            {a: cycle, b: "import { a } from './a.js';\nexport const b = () => a;", main: "{ a } from './a.js'", later: "{ b } from './b.js'"},
		"later cycle":      {a: cycle, b: "import { a } from './a.js';\nexport const b = () => a;", later: "{ a } from './a.js'"},
		"all":              {a: state, main: "{ state } from './a.js'", later: "* as all from './a.js'", fails: "import { names }"},
		"default":          {a: state, main: "{ state } from './a.js'", later: "one from './a.js'", fails: "import { names }"},
		"default by name":  {a: state, main: "{ state } from './a.js'", later: "{ default as one } from './a.js'", fails: "default"},
		"other quotes":     {a: state, main: "{ state } from './a.js'", later: `{ state } from "./a.js"`, fails: "no exports"},
		"not there":        {a: state, main: "{ state } from './a.js'", later: "{ third } from './a.js'", fails: "third"},
		"variable":         {a: let + "export { n };", main: "{ n } from './a.js'", later: "{ n } from './a.js'", fails: "may become another"},
		"variable behind":  {a: "export " + let, b: "export { n } from './a.js';", main: "{ n } from './b.js'", later: "{ n } from './b.js'", fails: "may become another"},
		"entry too early":  {a: state, main: "{ x as early } from './room.js'", later: "{ state } from './a.js'", fails: "to load it later"},
		"of another stage": {a: state, main: "{ state } from './a.js'", later: "(import('./a.js'))", fails: "import()"},
	} {
		t.Run(name, func(t *testing.T) {
			use := func(clause string) string {
				if dynamic, ok := strings.CutPrefix(clause, "("); ok {
					return "export const x = () => " + strings.TrimSuffix(dynamic, ")") + ";"
				}
				names, _, _ := strings.Cut(clause, " from ")
				names = strings.NewReplacer("state, other as o", "state, o", "default as ", "", "* as ", "", "x as ", "").Replace(names)
				if strings.HasPrefix(names, "'") {
					names = "1"
				}
				return "import " + clause + ";\nexport const x = " + names + ";\nglobalThis.used = x;"
			}
			modules := map[string]string{"page/a.js": c.a, "page/b.js": c.b, "page/room.js": use(c.later), "page/sheets.js": use(c.later)}
			if c.main != "" {
				modules["page/main.js"] = use(c.main)
			}
			all, err := scripts(t, modules)
			switch {
			case c.fails == "" && err != nil:
				t.Error(err)
			case c.fails == "" && strings.Count(all, "the one") != 1:
				t.Errorf("there are copies:\n%s", all)
			case c.fails != "" && (err == nil || !strings.Contains(err.Error(), c.fails)):
				t.Errorf("error %v, and\n%s", err, all)
			}
		})
	}
}
