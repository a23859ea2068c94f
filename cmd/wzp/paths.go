package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/alecthomas/kong"
)

// expandHome returns a path with the home directory in place of a ~ at its beginning, as a shell would have
// it where it reads one: not in --data=~/x, nor in a configuration file. A directory called ~ is what nobody
// meant.
func expandHome(path string) (string, error) {
	rest, ok := strings.CutPrefix(path, "~")
	if !ok {
		return path, nil
	}
	if rest != "" && !os.IsPathSeparator(rest[0]) {
		return "", fmt.Errorf("write the home directory of another user in full, "+
			"or ./%s for a file of this name, instead of %[1]s", path)
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("there is no home directory for the ~ of %s: %w", path, err)
	}
	if rest == "" {
		return home, nil
	}
	return strings.TrimRight(home, string(filepath.Separator)) + rest, nil // what ends in a slash still does
}

// pathMapper reads flags that are paths, type:"home" in their tag.
func pathMapper(ctx *kong.DecodeContext, target reflect.Value) error {
	text, err := popText(ctx)
	if err != nil {
		return err
	}
	path, err := expandHome(text)
	if err != nil {
		return err
	}
	if target.Kind() == reflect.Pointer {
		target = target.Elem()
	}
	target.SetString(path)
	return nil
}

// plainText returns the text of a file that people write, without the mark that some editors begin it with.
func plainText(b []byte) ([]byte, error) {
	if bytes.HasPrefix(b, []byte("\xff\xfe")) || bytes.HasPrefix(b, []byte("\xfe\xff")) {
		return nil, errors.New("this is UTF-16: save it as UTF-8")
	}
	return bytes.TrimPrefix(b, []byte("\ufeff")), nil
}

// readSmall reads a file of at most limit bytes. The mode is that of the file that was opened: between two
// looks at a path it can change.
func readSmall(path string, limit int64) (text []byte, mode fs.FileMode, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	text, err = io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(text)) > limit {
		err = fmt.Errorf("it has more than %d bytes", limit)
	}
	return text, info.Mode(), err
}
