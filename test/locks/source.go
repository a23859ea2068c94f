package main

import (
	"cmp"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	modulePath  = "github.com/wzp-voice/wzp"
	orderedPath = modulePath + "/test/locks/ordered"
)

// source is a package as it is read: its files, and its locks in their order.
type source struct {
	pkg    pkg
	level  int // more than that of any package whose locks come after its own
	first  int // how many locks other packages have, which are read before
	locks  []lock
	io     []string // functions of doesIO
	before []string // packages whose locks come after its own, beside those that it imports
	files  map[string]*file
}

// lock is a line of a package's list.
type lock struct {
	name string // Type.field, or the name of a variable
	io   bool   // may be held across I/O
}

// file is one Go file and what is to be changed in it.
type file struct {
	text    []byte
	edits   []edit
	found   []string // locks that are declared here
	mutexes int      // how often the name of a mutex's type stands here
}

// edit replaces what stands from one offset to another.
type edit struct {
	from, to int
	text     string
}

// readSources reads the packages. All that is wrong with their lists is in the error.
func readSources(packages []pkg) ([]*source, error) {
	var sources []*source
	var problems []error
	count := 0
	for _, p := range packages {
		s := &source{pkg: p, first: count, files: make(map[string]*file)}
		if err := s.read(); err != nil {
			return nil, err
		}
		problems = append(problems, s.check()...)
		sources = append(sources, s)
		count += len(s.locks)
	}
	problems = append(problems, setLevels(sources))
	for name := range doesIO {
		if !slices.ContainsFunc(sources, func(s *source) bool { return slices.Contains(s.io, name) }) {
			problems = append(problems,
				fmt.Errorf("no function is called %s: correct doesIO in test/locks/list.go", name))
		}
	}
	return sources, errors.Join(problems...)
}

// setLevels puts each package above those that it imports, and those that its document names.
func setLevels(sources []*source) error {
	byPath := make(map[string]*source)
	for _, s := range sources {
		byPath[s.pkg.ImportPath] = s
	}
	for range len(sources) + 1 {
		changed := false
		for _, s := range sources {
			for _, path := range slices.Concat(s.pkg.Imports, s.before) {
				if below := byPath[path]; below != nil && s.level <= below.level {
					s.level, changed = below.level+1, true
				}
			}
		}
		if !changed {
			return nil
		}
	}
	return errors.New("the packages' lists go round in a circle: " +
		"one says that its locks come before those of a package that is above it")
}

func (s *source) read() error {
	for _, name := range slices.Concat(s.pkg.GoFiles, s.pkg.CgoFiles, s.pkg.IgnoredGoFiles) {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(s.pkg.Dir, name))
		if err != nil {
			return err
		}
		if err := s.add(name, text); err != nil {
			return err
		}
	}
	return nil
}

// add reads one file.
func (s *source) add(name string, text []byte) error {
	set := token.NewFileSet()
	tree, err := parser.ParseFile(set, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	f := &file{text: text}
	s.files[name] = f
	replace := func(from, to token.Pos, text string) {
		f.edits = append(f.edits, edit{set.Position(from).Offset, set.Position(to).Offset, text})
	}
	if tree.Doc != nil {
		locks, before := parseList(tree.Doc.Text())
		s.locks = append(s.locks, locks...)
		for _, path := range before {
			s.before = append(s.before, modulePath+"/"+path)
		}
	}
	ast.Inspect(tree, func(n ast.Node) bool {
		if t, ok := n.(ast.Expr); ok && isMutex(t) {
			f.mutexes++
		}
		if logger := logged(n); logger != nil {
			replace(logger.Pos(), logger.Pos(), "ordered.Log(")
			replace(logger.End(), logger.End(), ")")
		}
		return true
	})
	for _, d := range tree.Decls {
		switch d := d.(type) {
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				declared(spec, func(name string, t ast.Expr) {
					f.found = append(f.found, name)
					replace(t.Pos(), t.End(), "ordered.Mutex["+className(name)+"]")
				})
			}
		case *ast.FuncDecl:
			name := s.pkg.Name + "." + funcName(d)
			if what := doesIO[name]; what != "" && d.Body != nil {
				s.io = append(s.io, name)
				replace(d.Body.Lbrace+1, d.Body.Lbrace+1, fmt.Sprintf(" ordered.IO(%q);", what))
			}
		}
	}
	if len(f.edits) > 0 {
		replace(tree.Name.End(), tree.Name.End(), `; import "`+orderedPath+`"`)
	}
	return nil
}

// declared finds the mutexes in a declaration at the top of a file: fields of structs, also of those within,
// and variables.
func declared(spec ast.Spec, found func(name string, t ast.Expr)) {
	switch spec := spec.(type) {
	case *ast.TypeSpec:
		ast.Inspect(spec.Type, func(n ast.Node) bool {
			if field, ok := n.(*ast.Field); ok && len(field.Names) == 1 && isMutex(field.Type) {
				found(spec.Name.Name+"."+field.Names[0].Name, field.Type)
			}
			return true
		})
	case *ast.ValueSpec:
		if len(spec.Names) == 1 && isMutex(spec.Type) {
			found(spec.Names[0].Name, spec.Type)
		}
	}
}

// isMutex reports whether a type is one of the mutexes of package sync.
func isMutex(t ast.Expr) bool {
	s, ok := t.(*ast.SelectorExpr)
	return ok && slices.Contains([]string{"sync.Mutex", "sync.RWMutex"}, types.ExprString(s))
}

// logged returns the logger of a call that writes into the log, nil if the node is none.
func logged(n ast.Node) ast.Expr {
	call, ok := n.(*ast.CallExpr)
	if !ok {
		return nil
	}
	method, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || !slices.Contains([]string{"Debug", "Info", "Warn", "Error"}, method.Sel.Name) {
		return nil
	}
	x := method.X
	if get, ok := x.(*ast.CallExpr); ok {
		x = get.Fun
	}
	name := types.ExprString(x)
	if !strings.EqualFold(name[strings.LastIndexByte(name, '.')+1:], "log") {
		return nil
	}
	return method.X
}

// funcName returns the name of a function, with the type of its receiver.
func funcName(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return d.Name.Name
	}
	return strings.TrimPrefix(types.ExprString(d.Recv.List[0].Type), "*") + "." + d.Name.Name
}

func className(lock string) string { return "lockOf_" + strings.ReplaceAll(lock, ".", "_") }

// check compares the package's list with its mutexes.
func (s *source) check() (problems []error) {
	found := make(map[string]bool)
	for name, f := range s.files {
		for _, lock := range f.found {
			found[lock] = true
			if s.place(lock) < 0 {
				problems = append(problems, fmt.Errorf("%s/%s: %s is not in the list of locks in the "+
					"package's document: say where in the order it is", s.pkg.Dir, name, lock))
			}
		}
		if f.mutexes != len(f.found) {
			problems = append(problems, fmt.Errorf("%s/%s: a mutex is neither a field of a declared struct "+
				"nor a variable of the package, with one name", s.pkg.Dir, name))
		}
	}
	for i, l := range s.locks {
		if !found[l.name] {
			problems = append(problems,
				fmt.Errorf("%s: %s is in the list of locks, but does not exist", s.pkg.Dir, l.name))
		}
		if s.place(l.name) != i {
			problems = append(problems, fmt.Errorf("%s: %s is twice in the list of locks", s.pkg.Dir, l.name))
		}
	}
	slices.SortFunc(problems, func(a, b error) int { return cmp.Compare(a.Error(), b.Error()) })
	return problems
}

// place returns where in the package's list a lock is, -1: nowhere.
func (s *source) place(name string) int {
	return slices.IndexFunc(s.locks, func(l lock) bool { return l.name == name })
}

// rewritten returns the files that change, by name.
func (s *source) rewritten() map[string][]byte {
	files := make(map[string][]byte)
	for name, f := range s.files {
		if len(f.edits) == 0 {
			continue
		}
		slices.SortFunc(f.edits, func(a, b edit) int { return a.from - b.from })
		var b []byte
		at := 0
		for _, e := range f.edits {
			b = append(append(b, f.text[at:e.from]...), e.text...)
			at = e.to
		}
		b = append(b, f.text[at:]...)
		if len(f.found) > 0 {
			b = append(b, "\nvar _ sync.Locker\n"...) // or nothing of the package may be left
		}
		for _, lock := range f.found {
			class, place := className(lock), s.place(lock)
			b = fmt.Appendf(b, "\ntype %s struct{}\n\nfunc (%s) Lock() *ordered.Lock { return &%s_ }\n\n"+
				"var %s_ = ordered.Lock{Name: %q, Level: %d, Place: %d, IO: %t}\n",
				class, class, class, class, s.pkg.Name+"."+lock, s.level, s.first+place, s.locks[place].io)
		}
		files[name] = b
	}
	return files
}
