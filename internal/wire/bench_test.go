package wire

import (
	"testing"
)

var sink int // keeps the compiler from leaving out what is measured

// hotPaths run once for each packet or frame that a relay forwards: they allocate nothing.
func hotPaths(tb testing.TB) map[string]func() {
	header := AppendHeader(nil, 0x0a0b0c, 0x1234, false)
	media := Media{Alias: 5, CTR: 0x1234, Ciphertext: make([]byte, 80)}
	long := Media{Long: true, Alias: 300, KID: MakeKID(memberA, 0, 0), CTR: 70000,
		Ciphertext: make([]byte, 80)}
	var packet []byte
	for range 3 {
		packet = AppendMedia(packet, &media, false)
	}
	packet = AppendMedia(packet, &long, true)
	tagged := long
	tagged.Tagged, tagged.Room = true, HashRoom("lobby")
	taggedFrame, _, err := NextFrame(AppendMedia(nil, &tagged, true))
	if err != nil {
		tb.Fatal(err)
	}
	report := Report{Highest: 70000, Received: 60000, N: 8}
	for i := range report.Samples {
		report.Samples[i] = Sample{1, 80 * ReportUnit}
	}
	reportFrame, _, err := NextFrame(AppendReport(nil, &report, true))
	if err != nil {
		tb.Fatal(err)
	}
	out := make([]byte, 0, MaxPacketSize)
	return map[string]func(){
		"ParseHeader": func() {
			h, n, _ := ParseHeader(header)
			sink += n + int(DecodeCounter(h.Counter, h.CounterBits(), 0x1200))
		},
		"ParseHeader/refused": func() { _, n, _ := ParseHeader(packet); sink += n },
		"AppendHeader":        func() { sink += len(AppendHeader(out, 0x0a0b0c, 0x1234, false)) },
		"ParseMedia/4": func() {
			for rest := packet; len(rest) > 0; {
				f, r, err := NextFrame(rest)
				if err != nil {
					tb.Fatal(err)
				}
				m, err := ParseMedia(f)
				if err != nil {
					tb.Fatal(err)
				}
				sink += int(m.CTR)
				rest = r
			}
		},
		"AppendMedia":      func() { sink += len(AppendMedia(out, &media, true)) },
		"AppendMedia/long": func() { sink += len(AppendMedia(out, &long, false)) },
		"ParseMedia/tagged": func() {
			m, err := ParseMedia(taggedFrame)
			if err != nil {
				tb.Fatal(err)
			}
			sink += int(m.CTR) + int(m.Room[0])
		},
		"AppendMedia/tagged": func() { sink += len(AppendMedia(out, &tagged, false)) },
		"ParseReport": func() {
			r, err := ParseReport(reportFrame.Body)
			if err != nil {
				tb.Fatal(err)
			}
			sink += r.N
		},
		"AppendReport": func() { sink += len(AppendReport(out, &report, true)) },
	}
}

func TestHotPathsDoNotAllocate(t *testing.T) {
	for name, run := range hotPaths(t) {
		if n := testing.AllocsPerRun(100, run); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkHotPaths(b *testing.B) {
	for name, run := range hotPaths(b) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				run()
			}
		})
	}
}

func BenchmarkParseEntry(b *testing.B) {
	entry := unhex(b, goldenEntries[1].hex)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseEntry(entry); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReadMessage(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := read(goldenHelloJSON); err != nil {
			b.Fatal(err)
		}
	}
}
