// Package ordered has mutexes that know their place in the order of locks. The tests of the module run with
// them in place of those of package sync (see ../main.go): a goroutine that takes a lock which comes before
// one that it holds ends the tests, and so does one that begins I/O with a lock that is not made for that.
// One goroutine that goes the wrong way is enough: nobody has to meet it, so what would hang once in a year
// is found each time.
//
//	goroutine ── Lock ──> its locks, by address of its g ── all before this one? ──> sync.Mutex
//	                                                    └── no: what it holds, where it stands, exit
//
// The race detector must see what it would see without: no function here is instrumented (go:norace), and
// what the goroutines share is locked while it looks away (quiet), or each lock would be in order with every
// other.
package ordered

import (
	"fmt"
	"os"
	"runtime/debug"
	"sync"
	"unsafe"
)

// Lock is one lock of the module, as the documents list it: all mutexes of one field.
type Lock struct {
	Name  string // package, type and field
	Level int    // of the package: above those that it imports, whose locks come after its own
	Place int    // among the locks of all packages; that in the package's list decides between two of one
	IO    bool   // it may be held while something is sent or written
}

// A Class is a type that stands for a Lock: a mutex whose zero value is ready has no other way to know what
// it is.
type Class interface{ Lock() *Lock }

// Mutex is a sync.Mutex or sync.RWMutex in the order of C. The zero value is unlocked. Readers, too, must be
// in order: a writer may wait between two.
type Mutex[C Class] struct{ mu sync.RWMutex }

// Lock implements sync.Locker.
//
//go:norace
func (m *Mutex[C]) Lock() {
	m.take(false)
	m.mu.Lock()
}

// TryLock is as with sync.Mutex. It waits for nobody, so it need not be in order.
//
//go:norace
func (m *Mutex[C]) TryLock() bool {
	ok := m.mu.TryLock()
	if ok {
		m.take(true)
	}
	return ok
}

// Unlock implements sync.Locker.
//
//go:norace
func (m *Mutex[C]) Unlock() {
	drop(uintptr(unsafe.Pointer(m)))
	m.mu.Unlock()
}

// RLock is as with sync.RWMutex.
//
//go:norace
func (m *Mutex[C]) RLock() {
	m.take(false)
	m.mu.RLock()
}

// RUnlock is as with sync.RWMutex.
//
//go:norace
func (m *Mutex[C]) RUnlock() {
	drop(uintptr(unsafe.Pointer(m)))
	m.mu.RUnlock()
}

// take notes that the goroutine is about to hold the lock, or holds it already: it was tried.
//
//go:norace
func (m *Mutex[C]) take(tried bool) {
	quiet()
	defer loud()
	var c C
	l, h := c.Lock(), find(true)
	for i := range h.n {
		if held := h.locks[i].lock; !tried && !before(held, l) {
			fail(h, "takes "+l.Name)
		}
	}
	if h.n == len(h.locks) {
		fail(h, "holds too many locks, and takes "+l.Name)
	}
	h.locks[h.n] = held{l, uintptr(unsafe.Pointer(m))}
	h.n++
}

// IO says that the goroutine is about to send or write something, which may take long.
//
//go:norace
func IO(what string) {
	quiet()
	defer loud()
	h := find(false)
	if h == nil {
		return
	}
	for i := range h.n {
		if !h.locks[i].lock.IO {
			fail(h, "begins I/O ("+what+")")
		}
	}
}

// Log returns a logger that is about to be written to.
//
//go:norace
func Log[T any](log T) T {
	IO("the log")
	return log
}

//go:norace
func before(a, b *Lock) bool { return a.Level > b.Level || a.Level == b.Level && a.Place < b.Place }

// drop notes that a lock is held no more. Another goroutine may have taken it: then that one's list is looked
// for.
//
//go:norace
func drop(mutex uintptr) {
	quiet()
	defer loud()
	if h := find(false); h != nil && h.remove(mutex) {
		return
	}
	for i := range table {
		slot := &table[i]
		slot.mu.Lock()
		for h := slot.first; h != nil; h = h.next {
			if h.remove(mutex) {
				break
			}
		}
		slot.mu.Unlock()
	}
}

// holder is what one goroutine holds, in the order in which it was taken.
type holder struct {
	g     uintptr
	next  *holder
	n     int
	locks [16]held
}

type held struct {
	lock  *Lock
	mutex uintptr
}

//go:norace
func (h *holder) remove(mutex uintptr) bool {
	for i := h.n - 1; i >= 0; i-- {
		if h.locks[i].mutex == mutex {
			for ; i < h.n-1; i++ {
				h.locks[i] = h.locks[i+1]
			}
			h.n--
			return true
		}
	}
	return false
}

// table has the holders, by a hash of their g: one for each that ever held something, for the runtime uses
// them again. It is no map: the race detector watches those.
var table [1 << 10]struct {
	mu    sync.Mutex // guards the list; nothing is taken under it
	first *holder
}

// find returns what the goroutine holds; if there is no list, nil or a new one. Only the goroutine itself
// changes what it returns, but for drop.
//
//go:norace
func find(make bool) *holder {
	g := getg()
	slot := &table[(g>>7)*2654435761%uintptr(len(table))]
	slot.mu.Lock()
	defer slot.mu.Unlock()
	h := slot.first
	for h != nil && h.g != g {
		h = h.next
	}
	if h == nil && make {
		h = &holder{g: g, next: slot.first}
		slot.first = h
	}
	return h
}

// fail ends the tests: it is no panic, which a server of HTTP would catch.
func fail(h *holder, does string) {
	loud()
	fmt.Fprintf(os.Stderr, "\nlock order: a goroutine that holds\n")
	for i := range h.n {
		fmt.Fprintf(os.Stderr, "\t%s\n", h.locks[i].lock.Name)
	}
	const order = "the order in the packages' documents (CONTRIBUTING.md, \"Locks\")"
	fmt.Fprintf(os.Stderr, "%s, against %s:\n\n%s\n", does, order, debug.Stack())
	os.Exit(3)
}
