package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// errLocked says that another process, or another part of this one, holds a lock.
var errLocked = errors.New("it is locked")

// lockData keeps other relays away from the data directory, which is made if missing, until unlock: two
// relays with one identity would be taken for one, and each would cut the other's links.
func (c *relayCmd) lockData(dir string) (unlock func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fileError("make the data directory", dir, err)
	}
	unlock, err = lockFile(filepath.Join(dir, "lock"))
	if errors.Is(err, errLocked) {
		setting := "--data DIR"
		if key, ofFile := c.keys["data"]; ofFile {
			setting = key + " in " + c.File
		}
		return nil, fmt.Errorf("a relay runs already with the data directory %s: stop it, "+
			"or give this one a directory of its own with %s", dir, setting)
	}
	if err != nil {
		return nil, fileError("lock the data directory", dir, err)
	}
	return unlock, nil
}
