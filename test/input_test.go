package test

import (
	"encoding/binary"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// wavHeader is that of mono 16 bit sound at 48 kHz, for so many bytes of it.
func wavHeader(data uint32) []byte {
	b := []byte("RIFF")
	b = binary.LittleEndian.AppendUint32(b, 36+data)
	b = append(b, "WAVEfmt "...)
	b = binary.LittleEndian.AppendUint32(b, 16)
	b = append(b, 1, 0, 1, 0)
	b = binary.LittleEndian.AppendUint32(b, 48000)
	b = binary.LittleEndian.AppendUint32(b, 96000)
	b = append(b, 2, 0, 16, 0)
	b = append(b, "data"...)
	return binary.LittleEndian.AppendUint32(b, data)
}

// TestBadFiles: what is wrong with a file is said in one line, without calling anybody.
func TestBadFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	badFormat := wavHeader(960)
	badFormat[22] = 0 // channels
	for name, in := range map[string]string{
		"missing":        filepath.Join(dir, "missing.wav"),
		"a directory":    dir + "/../" + filepath.Base(dir) + ".wav/",
		"empty":          write("empty.wav", nil),
		"noise":          write("noise.wav", []byte(strings.Repeat("not a sound ", 100))),
		"no samples":     write("silent.wav", wavHeader(0)),
		"half a header":  write("header.wav", wavHeader(960)[:30]),
		"no channels":    write("channels.wav", badFormat),
		"an odd ending":  write("sound.mp3", nil),
		"no permissions": filepath.Join(dir, "empty.wav", "below.wav"),
	} {
		t.Run(name, func(t *testing.T) {
			status := 1
			if strings.HasSuffix(in, "/") {
				status = 2 // what is no file at all is wrong usage
			}
			// Nobody is at this relay: whoever tries it would be busy for a minute.
			p := launch(t, command(t, "", "join", "room", "--relay", "127.0.0.1:9", "--in", in, "--out",
				"none"))
			p.failsInOneLine(status, soon, filepath.Base(in))
		})
	}
	t.Run("output", func(t *testing.T) {
		p := launch(t, command(t, "", "join", "room", "--relay", "127.0.0.1:9", "--in", "none", "--out",
			filepath.Join(dir, "no", "such.wav")))
		p.failsInOneLine(1, soon, "such.wav")
	})
}

// TestPortsInUse: a relay whose port is taken says which, and what to do.
func TestPortsInUse(t *testing.T) {
	t.Parallel()
	taken, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	web, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer web.Close()
	r := startRelay(t)
	for name, addr := range map[string][3]string{
		"udp":           {taken.LocalAddr().String(), "127.0.0.1:0", ""},
		"another relay": {r.addr, "127.0.0.1:0", ""},
		"admin":         {"127.0.0.1:0", web.Addr().String(), ""},
		"http":          {"127.0.0.1:0", "127.0.0.1:0", web.Addr().String()},
	} {
		t.Run(name, func(t *testing.T) {
			p := launch(t, command(t, "", "relay", "--listen", addr[0], "--admin", addr[1], "--http", addr[2],
				"--data", t.TempDir()))
			port := addr[0]
			switch name {
			case "admin":
				port = addr[1]
			case "http":
				port = addr[2]
			}
			p.failsInOneLine(1, soon, port)
		})
	}
}

// TestNobodyThere: a relay that does not exist or does not answer is given up when time is up.
func TestNobodyThere(t *testing.T) {
	t.Parallel()
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for name, addr := range map[string]string{
		"unknown host":     "relay.invalid:4433",
		"nobody listening": "127.0.0.1:9",
		"no answer":        silent.LocalAddr().String(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			begin := time.Now()
			p := launch(t, command(t, "", "join", "room", "--relay", addr, "--in", "none", "--out", "none",
				"--timeout", "2s"))
			host, _, _ := net.SplitHostPort(addr)
			p.failsInOneLine(1, soon, host)
			if took := time.Since(begin); name == "no answer" && took < 2*time.Second {
				t.Errorf("gave up after %v, before the time was up", took)
			}
		})
	}
}
