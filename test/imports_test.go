package test

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// modulePath is what go.mod declares. In this file its packages are called by the short name
// that the documents use: "wzp" is the root package, "wzp/identity" the one in identity/.
const modulePath = "github.com/wzp-voice/wzp"

// mayImport lists the packages of this module that each package may import directly, outside
// of its tests. Imports point down only:
//
//	cmd/wzp
//	 ├─ wzp, the client ─────────── e2ee opus jitter audio
//	 └─ internal/relay, the server ─ federation ─ room presence callpath; web
//	below both: link ─ udp seal fec rate, wire ─ identity, eventlog
var mayImport = map[string][]string{
	// Leaves.
	"wzp/identity":          {"wzp/internal/names"},
	"wzp/web":               {},
	"wzp/internal/budget":   {},
	"wzp/internal/drops":    {},
	"wzp/internal/eventlog": {},
	"wzp/internal/fec":      {},
	"wzp/internal/jitter":   {},
	"wzp/internal/names":    {},
	"wzp/internal/opus":     {},
	"wzp/internal/rate":     {},
	"wzp/internal/seal":     {},
	"wzp/internal/share":    {},
	"wzp/internal/simnet":   {},
	"wzp/internal/udp":      {},

	// Shared by both sides.
	"wzp/internal/wire": {"wzp/identity", "wzp/internal/names"},
	"wzp/internal/link": {
		"wzp/identity", "wzp/internal/wire",
		"wzp/internal/budget", "wzp/internal/drops", "wzp/internal/fec", "wzp/internal/rate",
		"wzp/internal/seal", "wzp/internal/udp",
	},

	// The client.
	"wzp/internal/audio":      {"wzp/internal/opus"},
	"wzp/internal/e2ee":       {"wzp/identity", "wzp/internal/wire"},
	"wzp/internal/signalling": {"wzp/identity", "wzp/internal/e2ee", "wzp/internal/wire"},
	"wzp": {
		"wzp/identity", "wzp/internal/wire",
		"wzp/internal/audio", "wzp/internal/call", "wzp/internal/e2ee", "wzp/internal/eventlog",
		"wzp/internal/names",
	},
	"wzp/internal/call": {
		"wzp/identity", "wzp/internal/wire",
		"wzp/internal/audio", "wzp/internal/e2ee", "wzp/internal/eventlog", "wzp/internal/fec",
		"wzp/internal/jitter", "wzp/internal/link", "wzp/internal/names", "wzp/internal/opus",
		"wzp/internal/rate", "wzp/internal/signalling",
		"wzp/internal/udp",
	},

	// The relay.
	"wzp/internal/room": {"wzp/internal/wire", "wzp/internal/budget", "wzp/internal/drops",
		"wzp/internal/link", "wzp/internal/share"},
	"wzp/internal/callpath": {"wzp/identity", "wzp/internal/wire", "wzp/internal/budget", "wzp/internal/share"},
	"wzp/internal/missed":   {"wzp/identity", "wzp/internal/wire", "wzp/internal/budget", "wzp/internal/share"},
	"wzp/internal/presence": {"wzp/identity", "wzp/internal/wire", "wzp/internal/budget", "wzp/internal/share"},
	"wzp/internal/peer": {"wzp/identity", "wzp/internal/wire", "wzp/internal/drops", "wzp/internal/link",
		"wzp/internal/presence"},
	"wzp/internal/routing": {"wzp/identity", "wzp/internal/wire", "wzp/internal/names"},
	"wzp/internal/federation": {
		"wzp/identity", "wzp/internal/wire",
		"wzp/internal/budget", "wzp/internal/callpath", "wzp/internal/drops", "wzp/internal/eventlog",
		"wzp/internal/link", "wzp/internal/missed", "wzp/internal/peer", "wzp/internal/presence",
		"wzp/internal/room", "wzp/internal/routing",
		"wzp/internal/share",
	},
	"wzp/internal/relay": {
		"wzp/identity", "wzp/internal/wire", "wzp/web",
		"wzp/internal/budget", "wzp/internal/drops", "wzp/internal/eventlog", "wzp/internal/fec",
		"wzp/internal/federation", "wzp/internal/link", "wzp/internal/names",
		"wzp/internal/peer", "wzp/internal/presence", "wzp/internal/rate", "wzp/internal/room",
		"wzp/internal/seal",
		"wzp/internal/udp",
	},

	// The program. It takes the lower packages for its benchmark, the network lab and keys.
	"wzp/cmd/wzp": {
		"wzp", "wzp/identity", "wzp/internal/wire", "wzp/internal/relay",
		"wzp/internal/eventlog", "wzp/internal/link", "wzp/internal/names", "wzp/internal/presence",
		"wzp/internal/seal", "wzp/internal/simnet",
		"wzp/internal/udp", "wzp/web",
	},

	// Helpers of tests: no other package lists them, so that only _test.go files import them.
	"wzp/internal/audio/speech":   {"wzp/internal/audio"},
	"wzp/internal/simnet/simtest": {"wzp/identity", "wzp/internal/simnet"},
	"wzp/test":                    {},
	"wzp/test/locks":              {},
	"wzp/test/locks/ordered":      {},
	"wzp/test/weight":             {"wzp/internal/audio", "wzp/internal/audio/speech"},
}

// A barrier names packages that must not be reachable from another by any path.
type barrier struct {
	from  string
	never []string
	why   string
}

var barriers = []barrier{
	{
		from: "wzp/internal/relay",
		never: []string{
			"wzp", "wzp/internal/call", "wzp/internal/e2ee", "wzp/internal/opus", "wzp/internal/jitter",
			"wzp/internal/audio", "wzp/internal/signalling",
		},
		why: "a relay cannot listen: its packages cannot decrypt or decode",
	},
	{
		from: "wzp/internal/relay",
		never: []string{"github.com/thesyncim/gopus", "github.com/ebitengine/purego",
			"github.com/jfreymuth/pulse"},
		why: "a relay has no codec, loads no library and opens no sound device",
	},
}

// importGraph maps each package of the module to the packages that its non-test files import:
// by short name within the module, by import path outside of it.
type importGraph map[string][]string

func TestImportsPointDown(t *testing.T) {
	root := os.DirFS("..")
	goMod, err := fs.ReadFile(root, "go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(goMod), "module "+modulePath+"\n") {
		t.Fatalf("go.mod does not declare %s", modulePath)
	}
	g, err := readImports(root)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := g["wzp/cmd/wzp"]; !ok {
		t.Fatal("cmd/wzp was not found: the walk missed the module")
	}
	for _, problem := range slices.Concat(checkEdges(g, mayImport), checkBarriers(g, barriers)) {
		t.Error(problem)
	}
}

// checkEdges returns one line for each package that the table does not know and for each
// direct import that it does not allow. The table may list packages that do not exist yet.
func checkEdges(g importGraph, table map[string][]string) []string {
	var problems []string
	for _, pkg := range slices.Sorted(maps.Keys(g)) {
		allowed, known := table[pkg]
		if !known {
			problems = append(problems, fmt.Sprintf(
				"%s is new: add it to mayImport in test/imports_test.go with what it may import", pkg))
			continue
		}
		for _, dep := range g[pkg] {
			if inModule(dep) && !slices.Contains(allowed, dep) {
				problems = append(problems, fmt.Sprintf(
					"%s imports %s: mayImport in test/imports_test.go does not allow it", pkg, dep))
			}
		}
	}
	return problems
}

// checkBarriers returns one line, with the shortest path, for each barrier that is broken.
func checkBarriers(g importGraph, barriers []barrier) []string {
	var problems []string
	for _, b := range barriers {
		for _, target := range b.never {
			if chain := shortestPath(g, b.from, target); chain != nil {
				problems = append(problems, fmt.Sprintf(
					"%s must not reach %s (%s): %s", b.from, target, b.why, strings.Join(chain, " -> ")))
			}
		}
	}
	return problems
}

// shortestPath returns the packages from from to target, both included, or nil if there is
// no way. A package below target counts as target.
func shortestPath(g importGraph, from, target string) []string {
	type node struct {
		pkg  string
		prev *node
	}
	seen := map[string]bool{from: true}
	for queue := []*node{{pkg: from}}; len(queue) > 0; queue = queue[1:] {
		n := queue[0]
		if n.pkg == target || (target != "wzp" && strings.HasPrefix(n.pkg, target+"/")) {
			var chain []string
			for ; n != nil; n = n.prev {
				chain = append(chain, n.pkg)
			}
			slices.Reverse(chain)
			return chain
		}
		for _, dep := range g[n.pkg] {
			if !seen[dep] {
				seen[dep] = true
				queue = append(queue, &node{dep, n})
			}
		}
	}
	return nil
}

func inModule(pkg string) bool { return pkg == "wzp" || strings.HasPrefix(pkg, "wzp/") }

// readImports parses the import clauses of the module at root. It reads every file whatever
// its build constraints, so that nothing hides behind another operating system or a tag, and
// leaves out what the go command leaves out: tests, testdata, nested modules, _ and dot folders.
func readImports(root fs.FS) (importGraph, error) {
	g := importGraph{}
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name != "." && ignoredFolder(root, name) {
				return fs.SkipDir
			}
			return nil
		}
		base := path.Base(name)
		if path.Ext(base) != ".go" || strings.HasSuffix(base, "_test.go") ||
			strings.ContainsAny(base[:1], "._") {
			return nil
		}
		src, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		imports, err := parseImports(name, src)
		if err != nil {
			return err
		}
		pkg := path.Join("wzp", path.Dir(name))
		g[pkg] = append(g[pkg], imports...)
		return nil
	})
	for pkg, imports := range g {
		slices.Sort(imports)
		g[pkg] = slices.Compact(imports)
	}
	return g, err
}

// ignoredFolder reports whether the go command would not look for this module's packages in name.
func ignoredFolder(root fs.FS, name string) bool {
	base := path.Base(name)
	if base == "testdata" || base == "vendor" || strings.ContainsAny(base[:1], "._") {
		return true
	}
	_, err := fs.Stat(root, path.Join(name, "go.mod"))
	return err == nil
}

// parseImports returns what one file imports, packages of the module by their short names.
func parseImports(name string, src []byte) ([]string, error) {
	file, err := parser.ParseFile(token.NewFileSet(), name, src, parser.ImportsOnly)
	if err != nil {
		return nil, err
	}
	var imports []string
	for _, spec := range file.Imports {
		dep, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, fmt.Errorf("%s: import %s: %w", name, spec.Path.Value, err)
		}
		if rest, ok := strings.CutPrefix(dep, modulePath); ok && (rest == "" || rest[0] == '/') {
			dep = "wzp" + rest
		}
		imports = append(imports, dep)
	}
	return imports, nil
}

func TestCheckEdges(t *testing.T) {
	table := map[string][]string{
		"wzp/a": {"wzp/b"},
		"wzp/b": {},
		"wzp/c": {}, // does not exist yet
	}
	for _, tc := range []struct {
		name string
		g    importGraph
		want []string
	}{
		{
			name: "allowed",
			g:    importGraph{"wzp/a": {"wzp/b", "fmt", "github.com/other/wzp/b"}, "wzp/b": {"net"}},
		},
		{
			name: "upwards",
			g:    importGraph{"wzp/a": {"wzp/b"}, "wzp/b": {"wzp/a"}},
			want: []string{"wzp/b imports wzp/a: mayImport in test/imports_test.go does not allow it"},
		},
		{
			name: "the root package is no prefix",
			g:    importGraph{"wzp/a": {"wzp"}},
			want: []string{"wzp/a imports wzp: mayImport in test/imports_test.go does not allow it"},
		},
		{
			name: "unknown",
			g:    importGraph{"wzp/util": {"fmt"}},
			want: []string{
				"wzp/util is new: add it to mayImport in test/imports_test.go with what it may import",
			},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, checkEdges(tc.g, table)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCheckBarriers(t *testing.T) {
	const broken = "wzp/internal/relay must not reach "
	rules := []barrier{{
		from:  "wzp/internal/relay",
		never: []string{"wzp", "wzp/internal/e2ee", "example.org/lib"},
		why:   "test",
	}}
	for _, tc := range []struct {
		name string
		g    importGraph
		want []string
	}{
		{name: "no relay yet", g: importGraph{"wzp": {"wzp/internal/e2ee"}}},
		{
			name: "clean",
			g: importGraph{
				"wzp/internal/relay": {"wzp/internal/room", "wzp/internal/wire"},
				"wzp/internal/room":  {"wzp/internal/wire"},
				"wzp":                {"wzp/internal/e2ee", "wzp/internal/wire"},
			},
		},
		{
			name: "direct",
			g:    importGraph{"wzp/internal/relay": {"wzp/internal/e2ee"}},
			want: []string{broken + "wzp/internal/e2ee (test): wzp/internal/relay -> wzp/internal/e2ee"},
		},
		{
			name: "transitive, in a cycle, shortest path shown",
			g: importGraph{
				"wzp/internal/relay": {"wzp/internal/link", "wzp/internal/room"},
				"wzp/internal/room":  {"wzp/internal/relay", "wzp/internal/e2ee"},
				"wzp/internal/link":  {"wzp/internal/wire"},
				"wzp/internal/wire":  {"wzp/internal/e2ee"},
			},
			want: []string{
				broken + "wzp/internal/e2ee (test): " +
					"wzp/internal/relay -> wzp/internal/room -> wzp/internal/e2ee",
			},
		},
		{
			name: "through the root package",
			g:    importGraph{"wzp/internal/relay": {"wzp"}, "wzp": {"wzp/internal/e2ee"}},
			want: []string{
				broken + "wzp (test): wzp/internal/relay -> wzp",
				broken + "wzp/internal/e2ee (test): wzp/internal/relay -> wzp -> wzp/internal/e2ee",
			},
		},
		{
			name: "a package below a forbidden one",
			g: importGraph{
				"wzp/internal/relay": {"wzp/internal/e2ee/sframe", "wzp/internal/e2eex",
					"example.org/lib/sub"},
			},
			want: []string{
				broken + "wzp/internal/e2ee (test): wzp/internal/relay -> wzp/internal/e2ee/sframe",
				broken + "example.org/lib (test): wzp/internal/relay -> example.org/lib/sub",
			},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, checkBarriers(tc.g, rules)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestReadImports(t *testing.T) {
	src := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	g, err := readImports(fstest.MapFS{
		"sdk.go":                src("package wzp\nimport \"fmt\"\nimport w \"" + modulePath + "/wire\""),
		"wire/a.go":             src("package wire\nimport (\n\"fmt\"\n_ \"" + modulePath + "\"\n)"),
		"wire/b.go":             src("package wire\nimport \"fmt\""),
		"wire/c_windows.go":     src("//go:build windows\npackage wire\nimport \"" + modulePath + "/web\""),
		"wire/wire_test.go":     src("package wire\nimport \"" + modulePath + "/internal/e2ee\""),
		"wire/_d.go":            src("not Go"),
		"wire/testdata/x/x.go":  src("not Go"),
		"tools/go.mod":          src("module tools"),
		"tools/tools.go":        src("package tools\nimport \"os\""),
		"internal/lone/lone.go": src("package lone\nimport \"" + modulePath + "x/y\""),
		".hidden/h.go":          src("not Go"),
	})
	if err != nil {
		t.Fatal(err)
	}
	want := importGraph{
		"wzp":               {"fmt", "wzp/wire"},
		"wzp/wire":          {"fmt", "wzp", "wzp/web"},
		"wzp/internal/lone": {modulePath + "x/y"},
	}
	if diff := cmp.Diff(want, g); diff != "" {
		t.Error(diff)
	}
	if _, err := readImports(fstest.MapFS{"a.go": src("import")}); err == nil {
		t.Error("a file that cannot be parsed must be an error, or its imports go unseen")
	}
}
