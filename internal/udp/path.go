package udp

import "net/netip"

// Path is where one peer's packets come from and go to. It is comparable and can be a map key.
type Path struct {
	// Remote is the other side's address. An IPv4 address is never in its IPv4-mapped IPv6 form; only a
	// link-local IPv6 address has a zone, which is then the interface's name.
	Remote netip.AddrPort
	// Local is the address of ours that the packet was sent to. It is set only on sockets bound to an
	// unspecified address (":4433") of Linux, where a host with several addresses would otherwise answer from
	// another one than was asked. Who sends first leaves it empty, and so does a client that roams: the
	// kernel then picks one.
	Local netip.Addr
}

// unmapped returns a with an IPv4-mapped IPv6 address as plain IPv4.
func unmapped(a netip.AddrPort) netip.AddrPort {
	if a.Addr().Is4In6() {
		return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
	}
	return a
}
