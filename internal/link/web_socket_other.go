//go:build !linux

package link

import "net"

// limitUnsent does nothing: what the kernel queues is not known here.
func limitUnsent(*net.TCPConn) {}
