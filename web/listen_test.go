package web

import (
	"errors"
	"net"
	"strconv"
	"testing"
)

// TestListen wants a page of 127.0.0.1 on [::1], too, where there is one, and Close to end both.
func TestListen(t *testing.T) {
	for _, test := range []struct {
		addr string
		also bool // on [::1]
	}{{"127.0.0.1:0", true}, {"127.0.0.1:", true}, {"localhost:0", true}, {"127.0.0.2:0", false}} {
		ln, err := Listen(test.addr)
		if err != nil {
			t.Fatal(err)
		}
		own := ln.Addr().String()
		_, port, _ := net.SplitHostPort(own)
		addrs := []string{own}
		if test.also && hasIPv6Loopback() {
			addrs = append(addrs, "[::1]:"+port)
		}
		for _, addr := range append(addrs, addrs...) {
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			got, err := ln.Accept()
			if err != nil {
				t.Fatal(err)
			}
			if got.LocalAddr().String() != addr {
				t.Errorf("%s: at %s, want %s", test.addr, got.LocalAddr(), addr)
			}
			got.Close()
			conn.Close()
		}
		waiting, err := net.Dial("tcp", own) // nobody accepts this one
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error)
		go func() { // may still accept it
			var err error
			for err == nil {
				var conn net.Conn
				if conn, err = ln.Accept(); err == nil {
					conn.Close()
				}
			}
			ended <- err
		}()
		if err := ln.Close(); err != nil {
			t.Error(err)
		}
		if err := <-ended; !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept after Close: %v", err)
		}
		waiting.Close()
		for _, addr := range addrs {
			if conn, err := net.Dial("tcp", addr); err == nil {
				conn.Close()
				t.Errorf("%s is still open", addr)
			}
		}
	}
}

// TestListenTaken: another program on [::1] is an error, and leaves nothing open.
func TestListenTaken(t *testing.T) {
	other, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		return // no [::1] here, so nobody can take it
	}
	defer other.Close()
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(other.Addr().(*net.TCPAddr).Port))
	if ln, err := Listen(addr); !errors.Is(err, ErrLocalhost) {
		t.Errorf("%v, %v", ln, err)
	}
	if conn, err := net.Dial("tcp", addr); err == nil {
		conn.Close()
		t.Error("127.0.0.1 is still open")
	}
}
