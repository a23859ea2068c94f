//go:build !amd64 && !arm64

package ordered

import (
	"runtime"
	"strconv"
	"strings"
)

// getg returns the goroutine's number, as far from the next as addresses are.
func getg() uintptr {
	var b [64]byte
	fields := strings.Fields(string(b[:runtime.Stack(b[:], false)])) // goroutine 123 [running]:
	n, err := strconv.ParseUint(fields[1], 10, 64)
	if err != nil {
		panic(err)
	}
	return uintptr(n) << 7
}
