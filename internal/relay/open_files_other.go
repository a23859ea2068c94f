//go:build !unix

package relay

// openFilesLimit is how many files the process may have open: this system has no such limit that matters.
func openFilesLimit() int { return 0 }
