//go:build amd64 || arm64

package ordered

// getg returns the address of what the runtime knows of the goroutine, which tells goroutines apart as long
// as they live.
func getg() uintptr
