package wzp

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestExportedAPI wants everything that the documentation shows, of signatures, fields and values to
// comments, free of names of internal packages, and of this one's unexported names.
func TestExportedAPI(t *testing.T) {
	fset := token.NewFileSet()
	//nolint:staticcheck // build tags do not matter here
	packages, err := parser.ParseDir(fset, ".", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	a := api{t: t, fset: fset, internal: make(map[string]string)}
	var files []*ast.File
	for name, file := range packages["wzp"].Files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		files = append(files, file)
		for _, spec := range file.Imports {
			if path, _ := strconv.Unquote(spec.Path.Value); strings.Contains(path, "/internal/") {
				a.internal[path[strings.LastIndex(path, "/")+1:]] = path
			}
		}
	}
	p, err := doc.NewFromFiles(fset, files, "github.com/wzp-voice/wzp")
	if err != nil {
		t.Fatal(err)
	}
	a.comment("the package", p.Doc)
	a.values(p.Consts, p.Vars)
	a.functions(p.Funcs)
	for _, typ := range p.Types {
		a.comment(typ.Name, typ.Doc)
		a.declaration(typ.Decl)
		a.values(typ.Consts, typ.Vars)
		a.functions(typ.Funcs, typ.Methods)
	}
	want := []string{"audio", "call", "e2ee", "eventlog", "names", "wire"}
	if imports := slices.Sorted(maps.Keys(a.internal)); !slices.Equal(imports, want) || a.names < 100 {
		t.Errorf("the walk saw %d names, and imports of %v, want %v", a.names, imports, want)
	}
}

// api walks declarations as go doc shows them: without bodies and unexported fields.
type api struct {
	t        *testing.T
	fset     *token.FileSet
	internal map[string]string // import paths of internal packages, by name
	names    int               // looked at
}

func (a *api) comment(what, text string) {
	if strings.Contains(text, "internal/") {
		a.t.Errorf("the comment of %s names an internal package: %s", what, text)
	}
}

func (a *api) values(lists ...[]*doc.Value) {
	for _, v := range slices.Concat(lists...) {
		a.comment(strings.Join(v.Names, ", "), v.Doc)
		a.declaration(v.Decl)
	}
}

func (a *api) functions(lists ...[]*doc.Func) {
	for _, f := range slices.Concat(lists...) {
		a.comment(f.Name, f.Doc)
		a.declaration(f.Decl)
	}
}

// declaration looks at what is not a mere name: types, and the values of constants and variables.
func (a *api) declaration(node ast.Node) {
	ast.Inspect(node, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			a.declaration(n.Type)
			return false
		case *ast.Field:
			a.names++
			a.declaration(n.Type)
			return false
		case *ast.TypeSpec:
			if n.Assign != token.NoPos {
				a.t.Errorf("%s is an alias: its methods are not shown", n.Name)
			}
			a.declaration(n.Type)
			return false
		case *ast.SelectorExpr:
			if pkg, ok := n.X.(*ast.Ident); ok && a.internal[pkg.Name] != "" {
				a.t.Errorf("%s: %s is of %s", a.fset.Position(n.Pos()), n.Sel.Name, a.internal[pkg.Name])
			}
			return false
		case *ast.Ident:
			if !n.IsExported() && !doc.IsPredeclared(n.Name) {
				a.t.Errorf("%s: %s is not exported", a.fset.Position(n.Pos()), n.Name)
			}
		case *ast.StructType:
			for _, f := range n.Fields.List {
				if len(f.Names) == 0 {
					a.t.Errorf("%s: a type is embedded", a.fset.Position(f.Pos()))
				}
			}
		}
		return true
	})
}
