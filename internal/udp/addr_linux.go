package udp

import (
	"encoding/binary"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// addrPortOf returns a kernel's socket address. Its zone, if any, is the interface's name, as package net has
// it.
func addrPortOf(sa *unix.RawSockaddrInet6) netip.AddrPort {
	if sa.Family == unix.AF_INET {
		sa4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(sa))
		return netip.AddrPortFrom(netip.AddrFrom4(sa4.Addr), hostOrder(sa4.Port))
	}
	a := netip.AddrFrom16(sa.Addr).Unmap()
	if sa.Scope_id != 0 && a.IsLinkLocalUnicast() {
		a = a.WithZone(zoneName(sa.Scope_id))
	}
	return netip.AddrPortFrom(a, hostOrder(sa.Port))
}

// putSockaddr writes an address for a socket of family AF_INET6 (v6) or AF_INET, and returns its length: 0 if
// that family does not have it.
func putSockaddr(sa *unix.RawSockaddrInet6, to netip.AddrPort, v6 bool) uint32 {
	a := to.Addr()
	if !v6 {
		a = a.Unmap()
		if !a.Is4() {
			return 0
		}
		sa4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(sa))
		*sa4 = unix.RawSockaddrInet4{Family: unix.AF_INET, Port: hostOrder(to.Port()), Addr: a.As4()}
		return unix.SizeofSockaddrInet4
	}
	*sa = unix.RawSockaddrInet6{Family: unix.AF_INET6, Port: hostOrder(to.Port()), Addr: a.As16()}
	if a.IsLinkLocalUnicast() && a.Is6() {
		sa.Scope_id = zoneID(a.Zone())
	}
	return unix.SizeofSockaddrInet6
}

// hostOrder converts a port between network and host byte order, either way.
func hostOrder(port uint16) uint16 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], port)
	return binary.NativeEndian.Uint16(b[:])
}

// interfaces has names and numbers of interfaces, by each other. Only link-local addresses ask for them.
var interfaces sync.Map

// zoneName returns the name of interface id, or its number if it has none.
func zoneName(id uint32) string {
	if name, ok := interfaces.Load(id); ok {
		return name.(string)
	}
	ifi, err := net.InterfaceByIndex(int(id))
	if err != nil {
		return strconv.FormatUint(uint64(id), 10)
	}
	interfaces.Store(id, ifi.Name)
	interfaces.Store(ifi.Name, id) // one that went away and came back has another number
	return ifi.Name
}

// zoneID returns the number of an interface given its name or number, 0 if there is none.
func zoneID(name string) uint32 {
	if n, err := strconv.ParseUint(name, 10, 32); err == nil {
		return uint32(n)
	}
	if id, ok := interfaces.Load(name); ok {
		return id.(uint32)
	}
	ifi, err := net.InterfaceByName(name) // which has no ""
	if err != nil {
		return 0
	}
	interfaces.Store(name, uint32(ifi.Index))
	return uint32(ifi.Index)
}
