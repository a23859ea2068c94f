//go:build unix

package relay

import (
	"math"
	"syscall"
)

// openFilesLimit is how many files may be open; 0: not known. Go has raised it already.
func openFilesLimit() int {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil || limit.Cur > math.MaxInt32 {
		return 0
	}
	return int(limit.Cur)
}
