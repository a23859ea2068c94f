package identity

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func openStayKeys(t *testing.T) (*StayKeys, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "new", "stay_keys")
	s, err := OpenStayKeys(path)
	if err != nil {
		t.Fatal(err)
	}
	return s, path
}

func stayKey(id, relay PublicKey, n byte, ago time.Duration) StayKey {
	k := NewStayKey(id, relay, [32]byte{n, 0xab})
	k.Used = wholeSeconds(time.Now().Add(-ago))
	return k
}

func TestStayKeys(t *testing.T) {
	s, path := openStayKeys(t)
	ann, bob, relay := testKey(1), testKey(2), testKey(3)
	if err := s.Forget(stayKey(ann, relay, 1, 0)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("to forget what is not there makes a file")
	}
	keep := func(k StayKey) {
		t.Helper()
		if err := s.Keep(k); err != nil {
			t.Fatal(err)
		}
	}
	check := func(id PublicKey, want ...byte) {
		t.Helper()
		keys, err := s.Of(id)
		got := []byte{}
		for _, k := range keys {
			got = append(got, k.Private()[0])
		}
		if err != nil || string(got) != string(want) {
			t.Errorf("%v, %v; want %v", got, err, want)
		}
	}
	keep(stayKey(ann, relay, 1, 20*time.Hour))
	keep(stayKey(bob, relay, 2, 0))
	keep(stayKey(ann, relay, 3, 0))
	keep(stayKey(ann, relay, 4, 26*time.Hour))
	check(ann, 1, 3)
	check(bob, 2)
	keep(stayKey(ann, relay, 1, 0))
	check(ann, 3, 1)
	if k, _ := s.Of(bob); k[0].Relay != relay || k[0].Identity != bob || time.Since(k[0].Used) > time.Minute {
		t.Errorf("%+v", k)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if err := s.Forget(stayKey(ann, relay, 3, 0)); err != nil {
		t.Fatal(err)
	}
	check(ann, 1)
	for n := range byte(20) {
		keep(stayKey(ann, relay, 100+n, 0))
	}
	if keys, _ := s.Of(ann); len(keys) != maxStayKeys || keys[0].Private()[0] != 104 {
		t.Errorf("%d keys", len(keys))
	}
	check(bob, 2)
	k := stayKey(ann, relay, 0xcd, 0)
	if text := fmt.Sprintf("%v %+v %s %#v %x", k, k, k, k, k); strings.Contains(text, "cdab") {
		t.Errorf("a key is printed: %s", text)
	}
	data, _ := os.ReadFile(path)
	if err := os.WriteFile(path, append(data, "cdab cdab\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenStayKeys(path); err == nil || strings.Contains(err.Error(), "cdab") {
		t.Errorf("of a bad line: %v", err)
	}
	if _, err := s.Of(ann); err == nil {
		t.Error("a bad line is no error")
	}
}

func TestStayKeysSideBySide(t *testing.T) {
	s, path := openStayKeys(t)
	ann, relay := testKey(1), testKey(3)
	var wg sync.WaitGroup
	for n := range byte(10) {
		wg.Go(func() {
			other, err := OpenStayKeys(path)
			if err == nil {
				err = other.Keep(stayKey(ann, relay, n, 0))
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if keys, err := s.Of(ann); len(keys) != 10 || err != nil {
		t.Errorf("%d keys, %v", len(keys), err)
	}
}

func FuzzStayKeys(f *testing.F) {
	key := testKey(1).String()
	f.Add([]byte(stayKeysHeader + key + " " + key + " " + strings.Repeat("ab", 32) +
		" 2030-01-02T03:04:05Z\n"))
	f.Add([]byte("# \n\nx y z\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		keys, err := parseStayKeys(data)
		if err != nil {
			return
		}
		var lines string
		for _, k := range keys {
			lines += k.line() + "\n"
		}
		again, err := parseStayKeys([]byte(lines))
		if err != nil || len(again) != len(keys) {
			t.Errorf("%q is written as %q: %v", data, lines, err)
		}
	})
}

func testKey(n byte) PublicKey { return SeedFromBytes([SeedSize]byte{n, 7}).Identity().Public() }
