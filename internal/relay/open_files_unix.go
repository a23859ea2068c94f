//go:build unix

package relay

import (
	"math"
	"syscall"
)

// openFilesLimit is how many files the process may have open; 0: not known. Go has raised it as far as it may
// already.
func openFilesLimit() int {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil || limit.Cur > math.MaxInt32 {
		return 0
	}
	return int(limit.Cur)
}
