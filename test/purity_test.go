package test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// pure are packages that decide and do nothing else, outside of their tests: the time is an argument, they
// start nothing, and they open nothing. So all that they do can be tested without waiting. Those with false
// have no locks either.
var pure = map[string]bool{
	"internal/budget": true, "internal/callpath": false, "internal/jitter": true, "internal/missed": false,
	"internal/presence": false, "internal/routing": false, "internal/seal": true, "internal/share": false, "internal/signalling": false,
}

// impureImports are what a pure package may not import: what opens, logs or waits. All below them counts,
// too.
var impureImports = []string{"context", "golang.org/x", "io/fs", "log", "net", "os", "syscall", "testing",
	"unsafe"}

// redaction is what a pure package may use of log/slog, so that its keys are not logged by others.
var redaction = []string{"LogValuer", "StringValue", "Value"}

// clockCalls are the functions of package time that look at the clock or wait for it.
var clockCalls = []string{
	"After", "AfterFunc", "NewTicker", "NewTimer", "Now", "Since", "Sleep", "Tick", "Until",
}

func TestPurePackages(t *testing.T) {
	root := os.DirFS("..")
	for folder, locks := range pure {
		problems, err := impurities(root, folder, locks)
		if err != nil {
			t.Fatal(err)
		}
		for _, problem := range problems {
			t.Error(problem)
		}
	}
}

// impurities returns one line for each place in a package, outside of its tests, that is not pure; locks: it
// may have some. A folder without Go files is an error: it would be pure for ever.
func impurities(root fs.FS, folder string, locks bool) (problems []string, err error) {
	files, err := fs.Glob(root, path.Join(folder, "*.go"))
	if err != nil {
		return nil, err
	}
	read := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		src, err := fs.ReadFile(root, name)
		if err != nil {
			return nil, err
		}
		found, err := impure(name, src, locks)
		if err != nil {
			return nil, err
		}
		problems = append(problems, found...)
		read++
	}
	if read == 0 {
		return nil, fmt.Errorf("%s has no Go files", folder)
	}
	return problems, nil
}

// impure is impurities for one file.
func impure(name string, src []byte, locks bool) (problems []string, err error) {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, src, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	names := map[string]string{} // what the file calls packages of which some may be used
	for _, spec := range file.Imports {
		dep, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, err
		}
		bad := func(bad string) bool { return dep == bad || strings.HasPrefix(dep, bad+"/") }
		name := path.Base(dep)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		switch {
		case (dep == "time" || dep == "log/slog") && name != ".":
			names[name] = dep
		case slices.ContainsFunc(impureImports, bad), dep == "time", !locks && bad("sync"):
			problems = append(problems, fmt.Sprintf("%v: imports %s", files.Position(spec.Pos()), dep))
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if what := impureNode(n, names); what != "" {
			problems = append(problems, fmt.Sprintf("%v: %s", files.Position(n.Pos()), what))
		}
		return true
	})
	return problems, nil
}

// impureNode says what is wrong with a node, empty if nothing is. Channels are of no use to who starts
// nothing.
func impureNode(n ast.Node, names map[string]string) string {
	switch n := n.(type) {
	case *ast.GoStmt:
		return "starts a goroutine"
	case *ast.ChanType:
		return "has a channel"
	case *ast.SelectStmt:
		return "waits in a select"
	case *ast.SelectorExpr:
		pkg, _ := n.X.(*ast.Ident)
		switch {
		case pkg == nil:
		case names[pkg.Name] == "time" && slices.Contains(clockCalls, n.Sel.Name):
			return "looks at the clock: time." + n.Sel.Name
		case names[pkg.Name] == "log/slog" && !slices.Contains(redaction, n.Sel.Name):
			return "logs: slog." + n.Sel.Name
		}
	}
	return ""
}

func TestImpurities(t *testing.T) {
	for _, tc := range []struct {
		name, src string
		want      []string
	}{
		{"pure", "import \"time\"\nfunc f(now time.Time) time.Time { return now.Add(time.Second) }", nil},
		{"own method", "type clock struct{}\nfunc (clock) Now() int { return 0 }\n" +
			"var time clock\nvar _ = time.Now()", nil},
		{"goroutine", "func f() { go f() }", []string{"p/a.go:2:12: starts a goroutine"}},
		{"channel", "var c = make(chan int)", []string{"p/a.go:2:14: has a channel"}},
		{"select", "func f() { select {} }", []string{"p/a.go:2:12: waits in a select"}},
		{"clock", "import \"time\"\nvar _ = time.Now()",
			[]string{"p/a.go:3:9: looks at the clock: time.Now"}},
		{"clock as a value", "import \"time\"\nvar now = time.Now",
			[]string{"p/a.go:3:11: looks at the clock: time.Now"}},
		{"clock by another name", "import t \"time\"\nvar _ = t.NewTimer(0)",
			[]string{"p/a.go:3:9: looks at the clock: time.NewTimer"}},
		{"clock without a name", "import . \"time\"\nvar _ = Now()",
			[]string{"p/a.go:2:8: imports time"}},
		{"redaction", "import \"log/slog\"\n" +
			"func (key) LogValue() slog.Value { return slog.StringValue(\"\") }", nil},
		{"log", "import \"log/slog\"\nfunc f() { slog.Info(\"\") }",
			[]string{"p/a.go:3:12: logs: slog.Info"}},
		{"lock", "import \"sync\"", []string{"p/a.go:2:8: imports sync"}},
		{"import", "import \"os\"", []string{"p/a.go:2:8: imports os"}},
		{"import below", "import \"net/netip\"", []string{"p/a.go:2:8: imports net/netip"}},
		{"import that begins alike", "import \"osmosis/log\"", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := impurities(fstest.MapFS{
				"p/a.go":      {Data: []byte("package p\n" + tc.src)},
				"p/a_test.go": {Data: []byte("package p\nfunc f() { go f() }")},
			}, "p", false)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	locks := fstest.MapFS{"p/a.go": {Data: []byte("package p\nimport \"sync/atomic\"")}}
	if problems, err := impurities(locks, "p", true); len(problems) > 0 || err != nil {
		t.Errorf("of one that may have locks: %q, %v", problems, err)
	}
	for name, files := range map[string]fstest.MapFS{
		"no package":      {},
		"tests only":      {"p/a_test.go": {Data: []byte("package p")}},
		"what is not Go":  {"p/a.go": {Data: []byte("package")}},
		"another package": {"q/a.go": {Data: []byte("package q")}},
	} {
		if _, err := impurities(files, "p", false); err == nil {
			t.Errorf("%s is pure", name)
		}
	}
}
