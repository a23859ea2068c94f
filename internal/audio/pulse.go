package audio

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jfreymuth/pulse/proto"
)

// Device names a microphone or loudspeaker of a PulseAudio server; PipeWire speaks the same protocol. The
// zero value is the default device of the server that PULSE_SERVER names, or of this user's session.
type Device struct {
	Server string // as PULSE_SERVER: "unix:/path", "tcp:host:port"; several by spaces
	Name   string // a sink's or source's name, DeviceInfo.Name
}

// NoSoundServerError says that there is no sound server to talk to.
type NoSoundServerError struct {
	Err error // the last attempt
}

func (e *NoSoundServerError) Error() string {
	return "no sound server found: start PulseAudio or PipeWire, or use --in FILE.wav / --out FILE.wav"
}

func (e *NoSoundServerError) Unwrap() []error { return []error{ErrNoDevice, e.Err} }

// ErrNoDevice is found by errors.Is in what is returned where there is no such microphone or loudspeaker.
var ErrNoDevice = errors.New("no such sound device")

// noDeviceError is an ErrNoDevice that says more.
type noDeviceError string

func (e noDeviceError) Error() string { return string(e) }
func (e noDeviceError) Unwrap() error { return ErrNoDevice }

// ErrDeviceLost is wrapped by the errors of a microphone or loudspeaker that went away while in use:
// unplugged, or its sound server ended.
var ErrDeviceLost = errors.New("sound device lost")

const (
	pulseTimeout   = 3 * time.Second // for a reply, and for a write
	pulsePort      = "4713"
	pulseCookieLen = 256

	// deviceFragment is the unit in which devices hand over sound: 10 ms.
	deviceFragment = SampleRate / 100
	bytesPerSample = 4 // float32, little-endian on the wire
)

// pulseLink is one connection to a sound server; each device has its own.
//
// The library's reading goroutine ends when the connection does, and then closes gone; close waits for that.
type pulseLink struct {
	*proto.Client
	conn *pulseConn
	gone chan struct{}
}

// dialPulse connects and authenticates. onMessage gets every message of the server (pointers to the structs
// of package proto) on the reading goroutine; the last is *proto.ConnectionClosed.
func dialPulse(server string, onMessage func(message any)) (*pulseLink, error) {
	var last error
	for _, address := range pulseAddresses(server) {
		link, err := dialPulseAt(address, onMessage)
		if err == nil {
			return link, nil
		}
		last = err
	}
	return nil, &NoSoundServerError{Err: last}
}

func dialPulseAt(address pulseAddress, onMessage func(message any)) (*pulseLink, error) {
	raw, err := net.DialTimeout(address.network, address.address, pulseTimeout)
	if err != nil {
		return nil, err
	}
	link := &pulseLink{Client: &proto.Client{}, conn: &pulseConn{Conn: raw}, gone: make(chan struct{})}
	var once sync.Once
	link.Callback = func(message any) {
		onMessage(message)
		if _, over := message.(*proto.ConnectionClosed); over {
			once.Do(func() { close(link.gone) })
		}
	}
	link.SetTimeout(pulseTimeout)
	link.Open(link.conn)
	if err := link.introduce(); err != nil {
		link.close()
		return nil, fmt.Errorf("%s: %w", address.address, err)
	}
	return link, nil
}

func (l *pulseLink) introduce() error {
	var auth proto.AuthReply
	if err := l.Request(&proto.Auth{Version: l.Version(), Cookie: pulseCookie()}, &auth); err != nil {
		return err
	}
	l.SetVersion(auth.Version)
	props := proto.PropList{
		"application.name":       proto.PropListString("wzp"),
		"application.process.id": proto.PropListString(strconv.Itoa(os.Getpid())),
	}
	return l.Request(&proto.SetClientName{Props: props}, &proto.SetClientNameReply{})
}

// close ends the connection, and the streams on it, and waits for the reader.
func (l *pulseLink) close() {
	l.conn.Close()
	<-l.gone
}

// streamProps describe a stream to the desktop: role "phone" makes it lower music and pick the headset.
func streamProps(name string) proto.PropList {
	return proto.PropList{
		"media.name": proto.PropListString(name),
		"media.role": proto.PropListString("phone"),
	}
}

// pulseConn makes a failing connection end in one way: the proto package ignores write errors and reports the
// end of a connection only for io.EOF.
type pulseConn struct{ net.Conn }

func (c *pulseConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err != nil {
		err = io.EOF
	}
	return n, err
}

// Write gives up on a server that takes nothing for pulseTimeout, by closing the connection, since part of a
// message may have gone.
func (c *pulseConn) Write(b []byte) (int, error) {
	c.Conn.SetWriteDeadline(time.Now().Add(pulseTimeout))
	n, err := c.Conn.Write(b)
	if err != nil {
		c.Conn.Close()
	}
	return n, err
}

type pulseAddress struct{ network, address string }

// pulseAddresses lists where a server may be, best first.
func pulseAddresses(server string) []pulseAddress {
	if server == "" {
		server = os.Getenv("PULSE_SERVER")
	}
	if server != "" {
		return parsePulseServer(server)
	}
	var sockets []string
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		sockets = append(sockets, filepath.Join(dir, "pulse", "native"))
	}
	sockets = append(sockets, fmt.Sprintf("/run/user/%d/pulse/native", os.Getuid()))
	if home, err := os.UserHomeDir(); err == nil {
		// macOS, and systems without a runtime directory: one folder a machine.
		found, _ := filepath.Glob(filepath.Join(home, ".config", "pulse", "*-runtime", "native"))
		sockets = append(sockets, found...)
	}
	sockets = append(sockets, "/run/pulse/native", "/var/run/pulse/native") // system-wide
	var addresses []pulseAddress
	for _, s := range sockets {
		addresses = append(addresses, pulseAddress{"unix", s})
	}
	return addresses
}

// parsePulseServer reads a server string: entries by spaces, each optionally bound to a host as in
// "{host}unix:/path"; what it does not know, it leaves out.
// https://www.freedesktop.org/wiki/Software/PulseAudio/Documentation/User/ServerStrings/
func parsePulseServer(server string) []pulseAddress {
	var addresses []pulseAddress
	host, _ := os.Hostname()
	for _, entry := range strings.Fields(server) {
		if rest, bound := strings.CutPrefix(entry, "{"); bound {
			name, after, ok := strings.Cut(rest, "}")
			if !ok || name != host {
				continue
			}
			entry = after
		}
		scheme, rest, ok := strings.Cut(entry, ":")
		switch {
		case strings.HasPrefix(entry, "/"):
			addresses = append(addresses, pulseAddress{"unix", entry})
		case !ok:
			addresses = append(addresses, pulseAddress{"tcp", withPulsePort(entry)})
		case scheme == "unix":
			addresses = append(addresses, pulseAddress{"unix", rest})
		case scheme == "tcp" || scheme == "tcp4" || scheme == "tcp6":
			addresses = append(addresses, pulseAddress{scheme, withPulsePort(rest)})
		}
	}
	return addresses
}

func withPulsePort(host string) string {
	if _, _, err := net.SplitHostPort(host); err == nil {
		return host
	}
	return net.JoinHostPort(strings.Trim(host, "[]"), pulsePort)
}

// pulseCookie is the secret shared with servers that do not know us by our user id. Without one, anonymous
// servers still want its length.
func pulseCookie() []byte {
	paths := []string{os.Getenv("PULSE_COOKIE")}
	if home, err := os.UserHomeDir(); err == nil {
		paths = append(paths, filepath.Join(home, ".config/pulse/cookie"),
			filepath.Join(home, ".pulse-cookie"))
	}
	for _, p := range paths {
		if p == "" {
			continue
		}
		if cookie, err := os.ReadFile(p); err == nil && len(cookie) == pulseCookieLen {
			return cookie
		}
	}
	return make([]byte, pulseCookieLen)
}
