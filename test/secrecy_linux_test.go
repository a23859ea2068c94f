package test

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/wzp-voice/wzp"
	"github.com/wzp-voice/wzp/identity"
	"github.com/wzp-voice/wzp/internal/e2ee"
	"github.com/wzp-voice/wzp/internal/wire"
)

// readMemory calls f with everything that a process can read of its own memory but files that it cannot
// change there, in pieces that overlap: what is shorter than overlap is whole in one of them. Writable memory
// is that of variables, heap and stacks. The process stands still meanwhile.
func (p *process) readMemory(overlap int, f func(b []byte, writable bool)) (size int) {
	p.t.Helper()
	pid := p.cmd.Process.Pid
	p.stop()
	defer p.signal(syscall.SIGCONT)
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		p.t.Fatal(err)
	}
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		p.t.Fatalf("cannot read the memory of a child process: %v; kernel.yama.ptrace_scope must be 0 or 1",
			err)
	}
	defer mem.Close()
	for line := range strings.Lines(string(maps)) {
		var from, to int64
		var mode string
		if _, err := fmt.Sscanf(line, "%x-%x %s", &from, &to, &mode); err != nil &&
			!strings.Contains(line, "[vsyscall]") {
			p.t.Fatalf("%q: %v", line, err)
		}
		// [vvar] and [vsyscall] are the kernel's.
		if mode == "" || mode[0] != 'r' || strings.Contains(line, "[v") || mode[1] != 'w' &&
			strings.Contains(line, " /") {
			continue
		}
		size += int(to - from)
		readMapping(p.t, mem, from, to, overlap, func(b []byte) { f(b, mode[1] == 'w') })
	}
	return size
}

// readMapping calls f with memory from one address to another.
func readMapping(t *testing.T, mem io.ReaderAt, from, to int64, overlap int, f func(b []byte)) {
	t.Helper()
	const piece = 1 << 20
	buf := make([]byte, overlap+piece)
	kept := 0 // bytes of the piece before
	for from < to {
		n, err := mem.ReadAt(buf[kept:kept+int(min(piece, to-from))], from)
		if n == 0 {
			t.Fatalf("cannot read %d bytes of memory at %x: %v", to-from, from, err)
		}
		f(buf[:kept+n])
		from += int64(n)
		all := kept + n
		kept = min(overlap, all)
		copy(buf, buf[all-kept:all])
	}
}

// stop stops the process as SIGSTOP does and waits until it stands.
func (p *process) stop() {
	p.t.Helper()
	p.signal(syscall.SIGSTOP)
	for deadline := time.Now().Add(soon); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
		if err != nil {
			p.t.Fatal(err)
		}
		if _, state, _ := strings.Cut(string(stat), ") "); strings.HasPrefix(state, "T") {
			return
		}
	}
	p.t.Fatal("the process does not stop")
}

// holds returns which of the needles are in the memory of a process.
func (p *process) holds(n *needles) (found map[string]bool, size int) {
	p.t.Helper()
	found = make(map[string]bool)
	size = p.readMemory(n.longest, func(b []byte, _ bool) { n.find(found, b) })
	return found, size
}

// joinKey finds the private half of a join key in the memory of the client that made it: it is 32 bytes that
// look random, aligned as Go allocates them.
func (p *process) joinKey(public []byte) *ecdh.PrivateKey {
	p.t.Helper()
	const align = 16
	seen := make(map[[32]byte]bool)
	var found *ecdh.PrivateKey
	p.readMemory(2*align, func(b []byte, writable bool) {
		for i := 0; writable && found == nil && i+32 <= len(b); i += align {
			candidate := [32]byte(b[i:])
			if !looksRandom(&candidate) || seen[candidate] {
				continue
			}
			seen[candidate] = true
			if key, err := ecdh.X25519().NewPrivateKey(candidate[:]); err == nil &&
				bytes.Equal(key.PublicKey().Bytes(), public) {
				found = key
			}
		}
	})
	if found == nil {
		p.t.Fatalf("the client's join key is not among %d candidates in its memory", len(seen))
	}
	p.t.Logf("found a join key among %d candidates", len(seen))
	return found
}

// looksRandom is true of nearly all random bytes, of which some 30 in 32 differ, and of little else.
func looksRandom(b *[32]byte) bool {
	var seen [256]bool
	distinct := 0
	for _, v := range b {
		if !seen[v] {
			seen[v] = true
			distinct++
		}
	}
	return distinct >= 22
}

// wiretap keeps every datagram between clients and relay.
type wiretap struct {
	*tap
	mu        sync.Mutex // guards what follows
	datagrams [][]byte
}

func newWiretap(t *testing.T, to string) *wiretap {
	w := new(wiretap)
	w.tap = newMeddlingTap(t, to, func(b []byte) [][]byte {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.datagrams = append(w.datagrams, bytes.Clone(b))
		return [][]byte{b}
	})
	return w
}

func (w *wiretap) taken() [][]byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([][]byte(nil), w.datagrams...)
}

// person is somebody whose identity this test made, and so knows.
type person struct {
	seed [identity.SeedSize]byte
	file string
}

func newPerson(t *testing.T, file string, n byte) person {
	t.Helper()
	// Bytes that differ, so that no needle is in memory by chance.
	p := person{seed: sha256.Sum256([]byte{n}), file: file}
	if err := identity.SaveFile(file, identity.SeedFromBytes(p.seed)); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p person) identity() *identity.Identity { return identity.SeedFromBytes(p.seed).Identity() }

// addTo adds the secrets of an identity: the seed and both private keys.
func (p person) addTo(n *needles, who string) {
	n.add(who+"'s seed", p.seed[:])
	n.add(who+"'s signature key", p.signatureKey())
	n.add(who+"'s X25519 key", p.identity().X25519().Bytes())
}

// signatureKey is the seed of Ed25519, the first half of what Go calls the private key.
func (p person) signatureKey() []byte {
	return must(hkdf.Key(sha256.New, p.seed[:], nil, "warzone-ed25519", ed25519.SeedSize))
}

// TestRelayHoldsNoKeys searches all that a relay process has, does and says during a conversation, and after
// it, for everything that it could listen with.
func TestRelayHoldsNoKeys(t *testing.T) {
	t.Parallel()
	t.Run("with invite secret", func(t *testing.T) { relayHoldsNoKeys(t, true) })
	t.Run("without", func(t *testing.T) { relayHoldsNoKeys(t, false) })
}

func relayHoldsNoKeys(t *testing.T, withSecret bool) {
	w := newWatched(t, withSecret)
	w.converse()

	// What clients hold, to know that searching memory finds what is there.
	var n needles
	joinA, joinB := w.a.joinKey(w.entry("anna").JoinKey[:]), w.b.joinKey(w.entry("bert").JoinKey[:])
	own := w.ownKey(joinA)
	w.wanted(&n, joinA, joinB, own)
	for who, c := range map[string]*client{"anna": w.a, "bert": w.b} {
		found, size := c.holds(&n)
		for _, name := range w.held(own) {
			if !found[name] {
				t.Errorf("%s's memory (%d bytes) does not hold %s: the search is no good", who, size, name)
			}
		}
	}
	w.searchRelay(&n, "during the conversation", true)
	w.openWithSeeds()

	w.a.leave()
	w.b.leave()
	if err := w.in.client.Close(); err != nil {
		t.Error(err)
	}
	w.searchRelay(&n, "after the conversation", false)
	n.absent(t, "the relay's metrics", w.r.metrics())
	n.absent(t, "the traffic", w.wire.taken()...)
	if frames := len(media(w.wire.sent())); frames < 100 {
		t.Errorf("only %d datagrams with media were seen", frames)
	}
	w.r.signal(syscall.SIGTERM)
	w.r.ends(0, soon)
	n.absent(t, "the relay's log", []byte(strings.Join(w.r.stderr.lines(), "\n")),
		[]byte(strings.Join(w.r.stdout.lines(), "\n")))
	n.absent(t, "the relay's directory", filesIn(t, w.r.data)...)
}

// watched is a conversation through a relay of which everything is seen.
//
//	anna ─────┐                           ┌── memory, twice
//	bert ─────┼── wiretap ── wzp relay ───┼── log, metrics, files
//	witness ──┘
type watched struct {
	t             *testing.T
	r             *relay
	relay         person
	wire          *wiretap
	anna, bert    person
	a, b          *client
	in            *witness
	secret        []byte // nil: none
	text          string // of the secret
	memberA       wire.MemberID
	memberB       wire.MemberID
	witnessPerson person
}

const watchedRoom = "the watched room"

func newWatched(t *testing.T, withSecret bool) *watched {
	t.Helper()
	dir := t.TempDir()
	w := &watched{
		t:             t,
		relay:         newPerson(t, filepath.Join(dir, "relay", "identity"), 1),
		anna:          newPerson(t, filepath.Join(dir, "anna"), 2),
		bert:          newPerson(t, filepath.Join(dir, "bert"), 3),
		witnessPerson: newPerson(t, filepath.Join(dir, "witness"), 4),
	}
	if withSecret {
		w.text = wzp.NewSecret().Text()
		w.secret = must(base64.RawURLEncoding.DecodeString(strings.TrimPrefix(w.text, "wzp-")))[:32]
	}
	w.r = startRelayAt(t, "127.0.0.1:0", filepath.Join(dir, "relay"), "--log-level", "debug")
	if w.r.fingerprint != w.relay.identity().Fingerprint().String() {
		t.Fatal("the relay has another identity than this test made")
	}
	w.wire = newWiretap(t, w.r.addr)
	w.in = newWitness(t, w.wire.addr(), watchedRoom, identity.SeedFromBytes(w.witnessPerson.seed), w.secret)
	return w
}

// join starts a client with an identity that the test knows.
func (w *watched) join(name string, p person, args ...string) *client {
	w.t.Helper()
	args = append([]string{"--name", name, "--identity", p.file, "--out", "none", "--no-dtx"}, args...)
	if w.secret != nil {
		args = append(args, "--secret", w.text)
	}
	return join(w.t, w.wire.addr(), watchedRoom, args...)
}

// converse has two people and the witness talk, and somebody come and go, so that there are fresh keys and
// ratcheted ones.
func (w *watched) converse() {
	w.t.Helper()
	w.a = w.join("anna", w.anna, "--in", "tone:300")
	w.b = w.join("bert", w.bert, "--in", "tone:500")
	w.memberA, w.memberB = w.in.member("anna"), w.in.member("bert")
	anything := func(_, _ uint8) bool { return true }
	w.in.hears("anna", anything)
	w.in.hears("bert", anything)
	w.in.talk()

	ratcheted := func(_, step uint8) bool { return step > 0 }
	guest := w.join("guest", newPerson(w.t, filepath.Join(w.t.TempDir(), "guest"), 5), "--in", "none")
	w.in.hears("anna", ratcheted)
	w.in.hears("bert", ratcheted)
	guest.hears("anna")
	guest.hears("bert")
	before := w.newest()
	guest.leave()
	for i, name := range []string{"anna", "bert"} {
		w.in.hears(name, func(generation, _ uint8) bool { return generation > before[i] })
	}
}

// newest returns the newest generations of anna and bert.
func (w *watched) newest() (generations [2]uint8) {
	w.in.mu.Lock()
	defer w.in.mu.Unlock()
	for i, id := range []wire.MemberID{w.memberA, w.memberB} {
		for generation := range w.in.keys[id] {
			generations[i] = max(generations[i], generation)
		}
	}
	return generations
}

// held are the names of secrets that both clients hold at the end of the conversation.
func (w *watched) held(own material) (names []string) {
	newest := w.newest()
	w.in.mu.Lock()
	defer w.in.mu.Unlock()
	for i, id := range []wire.MemberID{w.memberA, w.memberB} {
		names = append(names, fmt.Sprintf("%s's key %d/%d", []string{"anna", "bert"}[i], newest[i],
			w.in.keys[id][newest[i]].step))
	}
	names = append(names, fmt.Sprintf("the witness's key 0/%d", own.step))
	if w.secret != nil {
		names = append(names, "the invite secret", "the invite secret's text")
	}
	return names
}

// entry returns a member's entry.
func (w *watched) entry(name string) *wire.MemberEntry {
	w.t.Helper()
	id := w.in.member(name)
	w.in.mu.Lock()
	defer w.in.mu.Unlock()
	return w.in.entries[id]
}

// ownKey returns the witness's key, by opening its wrap for anna with her join key. It fails the test if that
// key of all does not open it.
func (w *watched) ownKey(joinA *ecdh.PrivateKey) material {
	w.t.Helper()
	w.in.mu.Lock()
	defer w.in.mu.Unlock()
	key, err := openWrap(joinA, w.in.self, w.in.header, w.in.hashes[w.memberA], w.in.wraps[w.memberA])
	if err != nil {
		w.t.Fatalf("anna's join key does not open the wrap that was made for it: %v", err)
	}
	return material{suite: uint16(e2ee.AES128CTRHMACSHA256Tag64), w: key}
}

// wanted adds everything that a relay must not have.
func (w *watched) wanted(n *needles, joinA, joinB *ecdh.PrivateKey, own material) {
	w.in.mu.Lock()
	defer w.in.mu.Unlock()
	streams := []uint8{0}
	for who, id := range map[string]wire.MemberID{"anna": w.memberA, "bert": w.memberB} {
		if len(w.in.keys[id]) < 2 {
			w.t.Errorf("%s made %d keys, want at least 2", who, len(w.in.keys[id]))
		}
		for generation, m := range w.in.keys[id] {
			n.addTalker(who, m, generation, id, streams, w.secret, watchedRoom)
		}
	}
	n.addTalker("the witness", own, 0, w.in.self.Member(), streams, w.secret, watchedRoom)
	n.add("anna's join key", joinA.Bytes())
	n.add("bert's join key", joinB.Bytes())
	n.add("the witness's join key", w.in.join.Bytes())
	w.anna.addTo(n, "anna")
	w.bert.addTo(n, "bert")
	w.witnessPerson.addTo(n, "the witness")
	if w.secret != nil {
		n.add("the invite secret", w.secret)
		n.spell("the invite secret's text", []byte(w.text))
		n.add("the room's media key", mediaKey(w.secret, watchedRoom))
		n.add("the room's member key", memberKey(w.secret, watchedRoom))
	}
	said := 0
	for _, codec := range w.in.plain {
		// a steady tone begins alike, and may end with padding
		if part := [32]byte(codec[4:]); looksRandom(&part) {
			n.spell("what was said", part[:])
			said++
		}
	}
	if said < 20 {
		w.t.Errorf("only %d of %d packets of what was said are good to look for", said, len(w.in.plain))
	}
}

// searchRelay fails the test if the relay's memory holds any of the needles. What must be there is looked for
// as well: the relay's own signature key and, while somebody is there, the members' entries.
func (w *watched) searchRelay(n *needles, when string, there bool) {
	w.t.Helper()
	var control needles
	control.spell("its own signature key", w.relay.signatureKey())
	want := []string{"its own signature key"}
	w.in.mu.Lock()
	for _, entry := range w.in.raw {
		if id := wire.EntryID(entry); there && (id == w.memberA || id == w.memberB) {
			control.spell("entry "+id.String(), entry)
			want = append(want, "entry "+id.String())
		}
	}
	w.in.mu.Unlock()

	found, known := make(map[string]bool), make(map[string]bool)
	size := w.r.readMemory(max(n.longest, control.longest), func(b []byte, _ bool) {
		n.find(found, b)
		control.find(known, b)
	})
	w.t.Logf("the relay's memory %s: %d bytes, searched for %d secrets", when, size, n.names)
	n.report(w.t, "the relay's memory "+when, found)
	for _, name := range want {
		if !known[name] {
			w.t.Errorf("the relay's memory %s does not hold %s: the search is no good", when, name)
		}
	}
}

// openWithSeeds tries what somebody can do who has recorded everything and then gets the members' identities.
func (w *watched) openWithSeeds() {
	w.t.Helper()
	w.in.mu.Lock()
	defer w.in.mu.Unlock()
	for name, try := range map[string]struct {
		person person
		id     wire.MemberID
	}{"anna": {w.anna, w.memberA}, "bert": {w.bert, w.memberB}} {
		hash, wrap := w.in.hashes[try.id], w.in.wraps[try.id]
		if wrap == nil {
			w.t.Errorf("there is no wrap for %s", name)
		}
		if _, err := openWrap(try.person.identity().X25519(), w.in.self, w.in.header, hash,
			wrap); err == nil {
			w.t.Errorf("%s's identity opens what was wrapped for her join key", name)
		}
		if bytes.Equal(try.person.identity().X25519().PublicKey().Bytes(), w.in.entries[try.id].JoinKey[:]) {
			w.t.Errorf("%s's join key is that of her identity", name)
		}
	}
}

// metrics returns what the relay tells its operator.
func (r *relay) metrics() []byte {
	r.t.Helper()
	answer, err := http.Get("http://" + r.admin + "/metrics")
	if err != nil {
		r.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return text
}

// filesIn returns what is in a directory.
func filesIn(t *testing.T, dir string) (contents [][]byte) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		contents = append(contents, b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return contents
}
