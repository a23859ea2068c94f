package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// A module of the door is in no other script of the page: what the others need of it, the door hands over.
// So each module is there once, with one state.
//
//	door:  handover (below) + page/main.js      globalThis.wzpDoor = [h, fill, Sheet, ...]
//	room:  import { h } from './dom.js'   ──>   const h = globalThis.wzpDoor[0]
//
// The Worker and the worklet are worlds of their own, which have their own copies.

const doorEntry = "page/main.js"

// parts are the entries of the scripts that come after the door, and those that share its world.
var (
	parts      = map[string]string{"room": "page/room.js", "mnemonic": "identity/mnemonic.js"}
	otherWorld = map[string]string{"worker": "call/worker.js", "worklet": "audio/worklet.js"}
)

// filesModule says where the parts are. In the built page it is written anew, with their names.
const filesModule = "page/files.js"

// applyStyle is what room-style.js is in the built page, after its text.
const applyStyle = `let applied = false;
export function applyRoomStyle() {
  if (applied) return;
  applied = true;
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(text);
  document.adoptedStyleSheets.push(sheet);
}
`

// copied are modules that may be in several scripts: they have no state, and their classes are told apart by
// what is in them. The door needs little of them, and the others much.
var copied = map[string]bool{"wire/bytes.js": true}

// bundler makes scripts of the modules in a folder.
type bundler struct {
	web     string
	door    map[string]bool // the modules of the door, by path from web
	handed  []handed        // what the door hands over, by its place
	files   string          // what filesModule is in the built page; "": as it is
	written map[string]int  // by module and name: the place
	known   bool            // handed is whole
}

// handed is one export of a module of the door.
type handed struct{ module, name string }

// newBundler finds out what is the door's, and what of it the parts need.
func newBundler(web string) (*bundler, error) {
	b := &bundler{web: web, written: make(map[string]int)}
	var err error
	if b.door, err = b.modules(doorEntry); err != nil {
		return nil, err
	}
	maps.DeleteFunc(b.door, func(module string, _ bool) bool { return copied[module] })
	in := make(map[string]string)
	for _, part := range slices.Sorted(maps.Keys(parts)) {
		if b.door[parts[part]] {
			return nil, fmt.Errorf("%s is in the door, which is to load it later", parts[part])
		}
		modules, err := b.modules(parts[part])
		if err != nil {
			return nil, err
		}
		for _, module := range slices.Sorted(maps.Keys(modules)) {
			if other := in[module]; other != "" && !copied[module] {
				return nil, fmt.Errorf("%s would be in %s and in %s: let the door import it, or one of the two only",
					module, other, part)
			}
			in[module] = part
			if err := b.need(module); err != nil {
				return nil, err
			}
		}
	}
	b.known = true
	return b, nil
}

// modules returns those that an entry is made of, without the door's once they are known.
func (b *bundler) modules(entry string) (map[string]bool, error) {
	options := b.options(api.EntryPoint{InputPath: entry}, b.plugin())
	options.Metafile = true
	result := api.Build(options)
	if err := failed(result); err != nil {
		return nil, err
	}
	found := make(map[string]bool)
	for _, name := range inputs(result.Metafile) {
		if !strings.Contains(name, ":") { // of the plugin
			found[name] = true
		}
	}
	return found, nil
}

var (
	importClause = regexp.MustCompile(`(?ms)^(?:import|export)\b([^;']*?)\bfrom '(\.[^']+)';`)
	exportLet    = regexp.MustCompile(`(?m)^export let\b`)
)

// need notes what a module of a part imports from the door's.
func (b *bundler) need(module string) error {
	text, err := os.ReadFile(filepath.Join(b.web, module))
	if err != nil {
		return err
	}
	for _, clause := range importClause.FindAllStringSubmatch(string(text), -1) {
		from := filepath.ToSlash(filepath.Join(filepath.Dir(module), clause[2]))
		if !b.door[from] {
			continue
		}
		names := strings.TrimSpace(clause[1])
		if !strings.HasPrefix(names, "{") || !strings.HasSuffix(names, "}") {
			return fmt.Errorf("%s: import { names } from %s, which is the door's", module, from)
		}
		source, err := os.ReadFile(filepath.Join(b.web, from))
		if err != nil {
			return err
		}
		if exportLet.Match(source) {
			return fmt.Errorf("%s exports a variable, which cannot be handed to %s: export a function", from, module)
		}
		for name := range strings.SplitSeq(strings.Trim(names, "{}"), ",") {
			name, _, _ = strings.Cut(strings.TrimSpace(name), " as ")
			if key := from + " " + name; name != "" {
				if _, ok := b.written[key]; !ok {
					b.written[key] = len(b.handed)
					b.handed = append(b.handed, handed{from, name})
				}
			}
		}
	}
	return nil
}

// handover is the door's first module.
func (b *bundler) handover() string {
	var text strings.Builder
	for i, h := range b.handed {
		fmt.Fprintf(&text, "import { %s as d%d } from './%s';\n", h.name, i, h.module)
	}
	text.WriteString("globalThis.wzpDoor = [")
	for i := range b.handed {
		fmt.Fprintf(&text, "d%d,", i)
	}
	return text.String() + "];\n"
}

// taken is what stands for a module of the door in a part.
func (b *bundler) taken(module string) string {
	var text strings.Builder
	for i, h := range b.handed {
		if h.module == module {
			fmt.Fprintf(&text, "export const %s = globalThis.wzpDoor[%d];\n", h.name, i)
		}
	}
	return text.String()
}

// script bundles and minifies what begins with an entry.
func (b *bundler) script(entry string, plugins ...api.Plugin) ([]byte, error) {
	result := api.Build(b.options(api.EntryPoint{InputPath: entry}, plugins...))
	if err := failed(result); err != nil {
		return nil, err
	}
	return result.OutputFiles[0].Contents, nil
}

// doorScript is the script of the door. files is what filesModule says in it.
func (b *bundler) doorScript(files string) ([]byte, error) {
	b.files = files
	return b.script("door:entry", b.plugin(), api.Plugin{Name: "entry", Setup: func(build api.PluginBuild) {
		build.OnResolve(api.OnResolveOptions{Filter: "^door:"}, func(args api.OnResolveArgs) (api.OnResolveResult, error) {
			return api.OnResolveResult{Path: args.Path, Namespace: "entry"}, nil
		})
		build.OnLoad(api.OnLoadOptions{Filter: ".*", Namespace: "entry"}, func(args api.OnLoadArgs) (api.OnLoadResult, error) {
			text := b.handover()
			if args.Path == "door:entry" {
				text = "import 'door:handover';\nimport './" + doorEntry + "';\n"
			}
			return api.OnLoadResult{Contents: &text, ResolveDir: b.web}, nil
		})
	}})
}

// plugin puts what the door hands over in the place of its modules, once they are known, and the names of
// what was built in the place of filesModule.
func (b *bundler) plugin() api.Plugin {
	return api.Plugin{Name: "door", Setup: func(build api.PluginBuild) {
		build.OnResolve(api.OnResolveOptions{Filter: `^\.`}, func(args api.OnResolveArgs) (api.OnResolveResult, error) {
			module, err := filepath.Rel(b.web, filepath.Join(args.ResolveDir, args.Path))
			module = filepath.ToSlash(module)
			if err != nil || b.files != "" || !b.door[module] {
				return api.OnResolveResult{}, err
			}
			if !b.known {
				return api.OnResolveResult{Path: args.Path, External: true}, nil
			}
			return api.OnResolveResult{Path: module, Namespace: "taken"}, nil
		})
		build.OnLoad(api.OnLoadOptions{Filter: ".*", Namespace: "taken"}, func(args api.OnLoadArgs) (api.OnLoadResult, error) {
			text := b.taken(args.Path)
			return api.OnLoadResult{Contents: &text}, nil
		})
		build.OnLoad(api.OnLoadOptions{Filter: `/page/room-style\.js$`}, func(api.OnLoadArgs) (api.OnLoadResult, error) {
			style, err := minify(b.web, "room.css", api.FormatDefault)
			text := "const text = " + strconv.Quote(string(style)) + ";\n" + applyStyle
			return api.OnLoadResult{Contents: &text}, err
		})
		build.OnLoad(api.OnLoadOptions{Filter: `/page/files\.js$`}, func(args api.OnLoadArgs) (api.OnLoadResult, error) {
			if b.files == "" || args.Path != filepath.Join(b.web, filesModule) {
				return api.OnLoadResult{}, nil
			}
			return api.OnLoadResult{Contents: &b.files, ResolveDir: filepath.Dir(args.Path)}, nil
		})
	}}
}

// options are those of every bundle.
func (b *bundler) options(entry api.EntryPoint, plugins ...api.Plugin) api.BuildOptions {
	return api.BuildOptions{
		EntryPointsAdvanced: []api.EntryPoint{{InputPath: relative(entry.InputPath), OutputPath: "out"}},
		AbsWorkingDir:       b.web, Outdir: filepath.Join(b.web, "dist"), Bundle: true, Plugins: plugins,
		Format: api.FormatESModule, Target: api.ES2022, Charset: api.CharsetUTF8, LegalComments: api.LegalCommentsNone,
		MinifyWhitespace: true, MinifySyntax: true, MinifyIdentifiers: true, LogLevel: api.LogLevelSilent,
	}
}

// relative makes a path one that is not a package's name.
func relative(path string) string {
	if strings.Contains(path, ":") {
		return path
	}
	return "./" + path
}

// failed returns what esbuild complains of.
func failed(result api.BuildResult) error {
	var all []error
	for _, m := range slices.Concat(result.Errors, result.Warnings) {
		where := ""
		if m.Location != nil {
			where = m.Location.File + ":" + strconv.Itoa(m.Location.Line) + ": "
		}
		all = append(all, errors.New(where+m.Text))
	}
	return errors.Join(all...)
}
