package link

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// unsent returns how many bytes the kernel has taken and not sent once; 0 if it does not tell, as of a
// connection that is closed.
func unsent(conn syscall.RawConn) (n int) {
	_ = conn.Control(func(fd uintptr) {
		n, _ = unix.IoctlGetInt(int(fd), unix.SIOCOUTQNSD) // 0 if it fails
	})
	return n
}
