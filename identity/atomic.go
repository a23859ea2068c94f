package identity

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/rogpeppe/go-internal/lockedfile"
)

// createFile writes a new file with mode 0600 which appears complete or not at all. When path exists,
// also when another process creates it at this moment, the error is fs.ErrExist.
func createFile(path string, data []byte) error { return createFileWith(os.Link, path, data) }

// createFileWith is createFile with the call that gives a file a second name, os.Link but in tests.
func createFileWith(link func(from, to string) error, path string, data []byte) error {
	temp, err := writeTemp(path, data)
	if err != nil {
		return err
	}
	defer os.Remove(temp) // gone already after a rename
	err = link(temp, path)
	if errors.Is(err, fs.ErrExist) {
		return &fs.PathError{Op: "create", Path: path, Err: fs.ErrExist}
	}
	if err != nil {
		// Some file systems have no hard links (FAT, apps on Android). There a lock does it, which
		// leaves a lock file behind; every process comes this way, for the file system is the same.
		err = withLock(path, func() error {
			if _, err := os.Lstat(path); err == nil {
				return &fs.PathError{Op: "create", Path: path, Err: fs.ErrExist}
			}
			return os.Rename(temp, path)
		})
	}
	if err != nil {
		return err
	}
	syncDir(path)
	return nil
}

// replaceFile writes a file with mode 0600; path holds the old content or the new, never a part.
func replaceFile(path string, data []byte) error {
	temp, err := writeTemp(path, data)
	if err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		os.Remove(temp)
		return err
	}
	syncDir(path)
	return nil
}

// writeTemp writes data to a new file beside path, with mode 0600, and waits until it is on disk. It
// creates the directory. The caller removes or renames the file.
func writeTemp(path string, data []byte) (name string, err error) {
	if err := makeDir(path); err != nil {
		return "", err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.tmp")
	if err != nil {
		return "", err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		os.Remove(f.Name())
		return "", err
	}
	return f.Name(), nil
}

func makeDir(path string) error { return os.MkdirAll(filepath.Dir(path), 0o700) }

// syncDir makes a new name in path's directory survive a power cut. Not every system can do it, and
// the file is there in any case, so a failure is no reason to fail.
func syncDir(path string) {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return
	}
	_ = dir.Sync() // see above
	dir.Close()
}

// withLock runs fn while no other process, and no other goroutine, runs one for the same path.
func withLock(path string, fn func() error) error {
	if err := makeDir(path); err != nil {
		return err
	}
	lock := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".lock")
	unlock, err := lockedfile.MutexAt(lock).Lock()
	if err != nil {
		return err
	}
	defer unlock()
	return fn()
}
