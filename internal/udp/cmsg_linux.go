package udp

import (
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Control messages (cmsg(3)) lie one after the other, each padded to the size of a word. On 64-bit systems:
//
//	0           8       12      16
//	+-----------+-------+-------+---------------+-----+
//	| length    | level | type  | data          | pad |   length counts header and data
//	+-----------+-------+-------+---------------+-----+
//
// Packet info is, as data of level IPPROTO_IP and type IP_PKTINFO (ip(7)), and of IPPROTO_IPV6 and
// IPV6_PKTINFO (RFC 3542, section 6):
//
//	+-----------+------------------+----------------+        +-------------------+-----------+
//	| interface | local address    | header address |        | address           | interface |
//	| 4         | 4                | 4              |        | 16                | 4         |
//	+-----------+------------------+----------------+        +-------------------+-----------+

// localAddr returns the local address in the packet info of control messages, invalid if there is none. On a
// dual-stack socket an IPv4 packet (v4) has both kinds; the IPv4 one tells the address to answer from also
// for a broadcast.
func localAddr(b []byte, v4 bool) netip.Addr {
	for len(b) > 0 {
		h, data, rest, err := unix.ParseOneSocketControlMessage(b)
		is4 := h.Level == unix.IPPROTO_IP && h.Type == unix.IP_PKTINFO && len(data) >= unix.SizeofInet4Pktinfo
		is6 := h.Level == unix.IPPROTO_IPV6 && h.Type == unix.IPV6_PKTINFO &&
			len(data) >= unix.SizeofInet6Pktinfo
		switch {
		case err != nil:
			return netip.Addr{}
		case v4 && is4:
			return netip.AddrFrom4([4]byte(data[4:8]))
		case !v4 && is6:
			return netip.AddrFrom16([16]byte(data[:16]))
		}
		b = rest
	}
	return netip.Addr{}
}

// packetInfo is the room for one control message with packet info, aligned for its header.
type packetInfo [5]uint64

// put writes the message that makes a packet leave from to.Local, and returns its length: 0 if it may leave
// from any address. scope is the interface's number for link-local addresses.
func (m *packetInfo) put(to Path, scope uint32) int {
	local := to.Local
	if !local.IsValid() || local.Is4() != to.Remote.Addr().Is4() {
		return 0
	}
	h := (*unix.Cmsghdr)(unsafe.Pointer(m))
	data := unsafe.Add(unsafe.Pointer(m), unix.CmsgLen(0))
	if local.Is4() {
		h.Level, h.Type = unix.IPPROTO_IP, unix.IP_PKTINFO
		h.SetLen(unix.CmsgLen(unix.SizeofInet4Pktinfo))
		*(*unix.Inet4Pktinfo)(data) = unix.Inet4Pktinfo{Spec_dst: local.As4()}
		return unix.CmsgSpace(unix.SizeofInet4Pktinfo)
	}
	h.Level, h.Type = unix.IPPROTO_IPV6, unix.IPV6_PKTINFO
	h.SetLen(unix.CmsgLen(unix.SizeofInet6Pktinfo))
	*(*unix.Inet6Pktinfo)(data) = unix.Inet6Pktinfo{Addr: local.As16(), Ifindex: scope}
	return unix.CmsgSpace(unix.SizeofInet6Pktinfo)
}
