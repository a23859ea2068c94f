package link

import (
	"net"

	"golang.org/x/sys/unix"
)

// unsentLimit is how many bytes the kernel takes that it cannot send yet.
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
