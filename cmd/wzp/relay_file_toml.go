package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// tomlDocument is a TOML file: its values, the line of each, and what is wrong with them.
type tomlDocument struct {
	file     string
	values   map[string]any // string, int64, float64, bool, dates, []any, map[string]any
	lines    map[string]int // of keys, tables and elements of lists, by pathKey
	problems []configProblem
}

// configProblem is one mistake of a configuration file.
type configProblem struct {
	line int // 0: the file as a whole
	text string
}

// configErrors are all mistakes of a configuration file, in its order.
type configErrors struct {
	file     string
	problems []configProblem
}

// lines are the problems as people see them, each on one line: FILE:LINE: what is wrong.
func (e configErrors) lines() []string {
	all := make([]string, 0, len(e.problems))
	for _, p := range e.problems {
		all = append(all, fmt.Sprintf("%s:%d: %s", e.file, p.line, p.text))
	}
	return all
}

func (e configErrors) Error() string { return strings.Join(e.lines(), "\n") }

// parseTOML reads a file. Where it is not TOML only the first mistake is known: what follows depends on it.
func parseTOML(file string, text []byte) (*tomlDocument, error) {
	doc := &tomlDocument{file: file, lines: make(map[string]int)}
	text, err := plainText(text)
	if err != nil {
		return nil, configErrors{file, []configProblem{{1, err.Error()}}}
	}
	if err := toml.Unmarshal(text, &doc.values); err != nil {
		line := 1
		if at := (*toml.DecodeError)(nil); errors.As(err, &at) {
			line, _ = at.Position()
		}
		why := strings.ReplaceAll(strings.TrimPrefix(err.Error(), "toml: "), "\n", " ")
		return nil, configErrors{file, []configProblem{{line, "this is not TOML: " + why}}}
	}
	doc.readLines(text)
	return doc, nil
}

// pathKey is the path of a value as an index of lines. Elements of lists are counted from 0.
func pathKey(path []string) string { return strings.Join(path, "\x00") }

// readLines finds the line of everything. The library's stable interface tells lines only with its own
// errors, and of these the first, so this walks its syntax tree, which has no promise of stability: go.mod
// holds its version, and tests the lines.
func (d *tomlDocument) readLines(text []byte) {
	var p unstable.Parser
	p.Reset(text)
	var table []string            // path of the table that keys are in
	count := make(map[string]int) // elements of lists of tables so far
	for p.NextExpression() {
		e := p.Expression()
		switch e.Kind {
		case unstable.Table:
			table = d.readKey(&p, e, nil, count)
		case unstable.ArrayTable:
			table = d.readKey(&p, e, nil, count)
			key := pathKey(table)
			table = append(table, strconv.Itoa(count[key]))
			count[key]++
			d.lines[pathKey(table)] = d.lines[key]
		case unstable.KeyValue:
			d.readValue(&p, e.Value(), d.readKey(&p, e, table, nil))
		}
	}
}

// readKey notes the line of a key, which may be dotted, and returns its path. Of a table within a list of
// tables it is one in the last element so far.
func (d *tomlDocument) readKey(
	p *unstable.Parser, e *unstable.Node, table []string, count map[string]int,
) []string {
	path := slices.Clone(table)
	for it := e.Key(); it.Next(); {
		if n := count[pathKey(path)]; n > 0 {
			path = append(path, strconv.Itoa(n-1))
		}
		path = append(path, string(it.Node().Data))
		d.lines[pathKey(path)] = p.Shape(it.Node().Raw).Start.Line
	}
	return path
}

// readValue notes the lines of what is in a value, at first that of the value itself.
func (d *tomlDocument) readValue(p *unstable.Parser, value *unstable.Node, path []string) {
	line := d.lines[pathKey(path)]
	n := 0
	for it := value.Children(); it.Next(); n++ {
		switch node := it.Node(); value.Kind {
		case unstable.InlineTable:
			d.readValue(p, node.Value(), d.readKey(p, node, path, nil))
		case unstable.Array:
			element := append(slices.Clone(path), strconv.Itoa(n))
			if node.Raw.Length > 0 {
				line = p.Shape(node.Raw).Start.Line
			}
			d.lines[pathKey(element)] = line
			d.readValue(p, node, element)
		}
	}
}

// line returns where the value at path is, or what holds it.
func (d *tomlDocument) line(path []string) int {
	for ; len(path) > 0; path = path[:len(path)-1] {
		if line, known := d.lines[pathKey(path)]; known {
			return line
		}
	}
	return 1
}

// problem notes what is wrong with the value at path.
func (d *tomlDocument) problem(path []string, format string, args ...any) {
	d.problems = append(d.problems, configProblem{d.line(path), fmt.Errorf(format, args...).Error()})
}

// err returns all problems so far as a configErrors, or nil.
func (d *tomlDocument) err() error {
	if len(d.problems) == 0 {
		return nil
	}
	slices.SortStableFunc(d.problems, func(a, b configProblem) int {
		return cmp.Or(cmp.Compare(a.line, b.line), cmp.Compare(a.text, b.text))
	})
	return configErrors{d.file, d.problems}
}

// describeTOML says what a value is, for who meant another.
func describeTOML(value any) string {
	switch v := value.(type) {
	case string:
		return "the text " + strconv.Quote(v)
	case int64, float64, bool:
		return fmt.Sprint(v)
	case []any:
		return "a list"
	case map[string]any:
		return "a table"
	}
	return "a date or time"
}
