package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// Each script of the page comes after the ones before it in stages, and a module is in the first that needs it
// alone: what later ones need of it, that one hands over. So each module is there once, with one state.
//
//	door:  handover (below) + page/main.js      globalThis.wzpDoor = [h, fill, Sheet, ...]
//	room:  import { h } from './dom.js'   ──>   const h = globalThis.wzpDoor[0]
//
// The Worker and the worklet are worlds of their own, which have their own copies; the Worker has stages, too.

// world is the scripts that share one, in the order in which they come.
type world struct {
	stages []stage
	// copied are modules that may be in several scripts: they have no state, and their classes are told apart by
	// what is in them. The door needs little of them, and the others much.
	copied map[string]bool
}

type stage struct{ name, entry string }

var pageWorld = world{
	stages: []stage{
		{"door", "page/main.js"},
		{"room", "page/room.js"},
		{"sheets", "page/sheets.js"},
		{"mnemonic", "identity/mnemonic.js"},
		{"calls", "page/switchboard.js"},
	},
	copied: map[string]bool{"wire/bytes.js": true},
}

// otherWorlds are made before the page's, which has their names.
var otherWorlds = []world{
	{stages: []stage{{"worker", "call/worker.js"}, {"line", "call/line-worker.js"}}},
	{stages: []stage{{"worklet", "audio/worklet.js"}}},
}

// filesModule says where the parts are. In the built page it is written anew, with their names.
const filesModule = "page/files.js"

// applyStyle is what room-style.js and calls-style.js are in the built page, after their text.
const applyStyle = `let applied = false;
export function %s() {
  if (applied) return;
  applied = true;
  if (!document.adoptedStyleSheets) return; // a browser that is told that it is too old
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(text);
  document.adoptedStyleSheets.push(sheet);
}
`

// bundler makes scripts of the modules in a folder.
type bundler struct {
	web    string
	world  world
	stage  int            // the one that is being made
	owner  map[string]int // the stage that a module is in, by path from web
	handed [][]handed     // what each stage hands over, by its place
	known  bool           // handed is whole
	files  string         // what filesModule is in the built page; "": as it is
}

// handed is one export of a module.
type handed struct{ module, name string }

// newBundler finds out which stage each module is in, and what of it the later ones need.
func newBundler(web string, w world) (*bundler, error) {
	b := &bundler{web: web, world: w, owner: make(map[string]int), handed: make([][]handed, len(w.stages))}
	for i, s := range w.stages {
		if owner, ok := b.owner[s.entry]; ok {
			return nil, fmt.Errorf("%s is in the %s, which is to load it later", s.entry, w.stages[owner].name)
		}
		b.stage = i
		modules, err := b.modules(s.entry)
		if err != nil {
			return nil, err
		}
		for _, module := range modules {
			if _, ok := b.owner[module]; !ok && !w.copied[module] {
				b.owner[module] = i
			}
		}
		for _, module := range modules {
			if err := b.need(module); err != nil {
				return nil, err
			}
		}
	}
	b.known = true
	return b, nil
}

// modules returns those that an entry is made of, without those of the stages before.
func (b *bundler) modules(entry string) ([]string, error) {
	options := b.options(api.EntryPoint{InputPath: entry}, b.plugin())
	options.Metafile = true
	result := api.Build(options)
	if err := failed(result); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(inputs(result.Metafile), func(name string) bool {
		return strings.Contains(name, ":") // of the plugin
	}), nil
}

var (
	importClause = regexp.MustCompile(`(?ms)^(?:import|export)\b([^;']*?)\bfrom '(\.[^']+)';`)
	exportLate   = regexp.MustCompile(`(?m)^export\s+(let\b|var\b|\{[^}]*\}\s*;)`)
)

// need notes what a module imports from the stages before its own.
func (b *bundler) need(module string) error {
	text, err := os.ReadFile(filepath.Join(b.web, module))
	if err != nil {
		return err
	}
	if exportLate.Match(text) {
		return fmt.Errorf("%s exports what may become another: export const, function or class", module)
	}
	for _, clause := range importClause.FindAllStringSubmatch(string(text), -1) {
		from := filepath.ToSlash(filepath.Join(filepath.Dir(module), clause[2]))
		owner, ok := b.owner[from]
		if !ok || owner == b.stage {
			continue
		}
		names := strings.TrimSpace(clause[1])
		if !strings.HasPrefix(names, "{") || !strings.HasSuffix(names, "}") {
			return fmt.Errorf("%s: import { names } from %s, which is in the %s", module, from, b.world.stages[owner].name)
		}
		for name := range strings.SplitSeq(strings.Trim(names, "{}"), ",") {
			name, _, _ = strings.Cut(strings.TrimSpace(name), " as ")
			one := handed{from, name}
			if name != "" && !slices.Contains(b.handed[owner], one) {
				b.handed[owner] = append(b.handed[owner], one)
			}
		}
	}
	return nil
}

// global is where a stage puts what it hands over.
func (b *bundler) global(stage int) string {
	name := b.world.stages[stage].name
	return "globalThis.wzp" + strings.ToUpper(name[:1]) + name[1:]
}

// handover is a stage's first module.
func (b *bundler) handover() string {
	var text strings.Builder
	for i, h := range b.handed[b.stage] {
		fmt.Fprintf(&text, "import { %s as d%d } from './%s';\n", h.name, i, h.module)
	}
	fmt.Fprintf(&text, "%s = [", b.global(b.stage))
	for i := range b.handed[b.stage] {
		fmt.Fprintf(&text, "d%d,", i)
	}
	return text.String() + "];\n"
}

// taken is what stands for a module of a stage before.
func (b *bundler) taken(module string) string {
	var text strings.Builder
	owner := b.owner[module]
	for i, h := range b.handed[owner] {
		if h.module == module {
			fmt.Fprintf(&text, "export const %s = %s[%d];\n", h.name, b.global(owner), i)
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

// stageScript is the script of a stage. files is what filesModule says in it.
func (b *bundler) stageScript(i int, files string) ([]byte, error) {
	b.stage, b.files = i, files
	entry := b.world.stages[i].entry
	if len(b.handed[i]) == 0 {
		return b.script(entry, b.plugin())
	}
	return b.script("stage:entry", b.plugin(), api.Plugin{Name: "entry", Setup: func(build api.PluginBuild) {
		build.OnResolve(api.OnResolveOptions{Filter: "^stage:"}, func(args api.OnResolveArgs) (api.OnResolveResult, error) {
			return api.OnResolveResult{Path: args.Path, Namespace: "entry"}, nil
		})
		build.OnLoad(api.OnLoadOptions{Filter: ".*", Namespace: "entry"}, func(args api.OnLoadArgs) (api.OnLoadResult, error) {
			text := b.handover()
			if args.Path == "stage:entry" {
				text = "import 'stage:handover';\nexport * from './" + entry + "';\n"
			}
			return api.OnLoadResult{Contents: &text, ResolveDir: b.web}, nil
		})
	}})
}

// plugin puts what earlier stages hand over in the place of their modules, once that is known, and the names of
// what was built in the place of filesModule.
func (b *bundler) plugin() api.Plugin {
	return api.Plugin{Name: "door", Setup: func(build api.PluginBuild) {
		build.OnResolve(api.OnResolveOptions{Filter: `^\.`}, func(args api.OnResolveArgs) (api.OnResolveResult, error) {
			module, err := filepath.Rel(b.web, filepath.Join(args.ResolveDir, args.Path))
			module = filepath.ToSlash(module)
			owner, ok := b.owner[module]
			if err != nil || !ok || owner == b.stage {
				return api.OnResolveResult{}, err
			}
			if args.Kind == api.ResolveJSDynamicImport {
				return api.OnResolveResult{}, fmt.Errorf("import() of %s, which is in the %s: import it as others do",
					module, b.world.stages[owner].name)
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
		for name, apply := range map[string]string{"room": "applyRoomStyle", "calls": "applyCallsStyle"} {
			filter := api.OnLoadOptions{Filter: "/page/" + name + `-style\.js$`}
			build.OnLoad(filter, func(api.OnLoadArgs) (api.OnLoadResult, error) {
				style, err := minify(b.web, name+".css", api.FormatDefault)
				text := "const text = " + strconv.Quote(string(style)) + ";\n" + fmt.Sprintf(applyStyle, apply)
				return api.OnLoadResult{Contents: &text}, err
			})
		}
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
