package link

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// unsentLimit is how many bytes the kernel takes that it cannot send yet, about.
const unsentLimit = 16 << 10

// limitUnsent sets TCP_NOTSENT_LOWAT. Without it media only waits longer.
func limitUnsent(conn *net.TCPConn) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, unsentLimit)
	})
}

// unsent returns how many bytes the kernel has taken and not sent once; 0 if it does not tell, as of a
// connection that is closed.
func unsent(conn syscall.RawConn) (n int) {
	_ = conn.Control(func(fd uintptr) {
		n, _ = unix.IoctlGetInt(int(fd), unix.SIOCOUTQNSD) // 0 if it fails
	})
	return n
}
