package simnet

import (
	"math"
	"strings"
	"testing"
	"time"
)

func TestValidateNamesWhatIsWrong(t *testing.T) {
	for _, tc := range []struct {
		profile Profile
		want    string // part of the error; empty for none
	}{
		{Profile{}, ""},
		{Profile{Loss: 1, Burst: 4}, ""},
		{Profile{Loss: 0.5, Burst: 1}, ""},
		{Profile{Loss: 0.6, BurstTime: time.Second, Delay: time.Minute, Reorder: 1}, ""},
		{Profile{Loss: 30}, "loss 30 is not between 0 and 1 (30 % is 0.3)"},
		{Profile{Loss: math.NaN()}, "loss NaN"},
		{Profile{Loss: -0.1}, "loss -0.1"},
		{Profile{Reorder: 1.1}, "reorder 1.1"},
		{Profile{Duplicate: math.Inf(1)}, "duplicate +Inf"},
		{Profile{Delay: -1}, "delay -1ns"},
		{Profile{Jitter: time.Hour}, "jitter 1h0m0s is not between 0 and 1m0s"},
		{Profile{BurstTime: -1}, "burst-time -1ns"},
		{Profile{Rate: -1}, "rate -1"},
		{Profile{Rate: math.MaxInt64}, "100G bit/s"},
		{Profile{Queue: -1}, "queue -1"},
		{Profile{Queue: 1 << 30}, "queue 1073741824"},
		{Profile{Burst: 0.5}, "burst 0.5 is not a mean length"},
		{Profile{Burst: math.NaN()}, "burst NaN"},
		{Profile{Loss: 0.6, Burst: 1.4}, "burst 1.4 is too short for loss 0.6: it needs 1.5 or more"},
		{Profile{Burst: 4, BurstTime: 1}, "exclude each other"},
		{Profile{Reorder: 0.1}, "reorder needs a delay"},
	} {
		err := tc.profile.Validate()
		if tc.want == "" {
			if err != nil {
				t.Errorf("%v: %v", tc.profile, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%+v: got %v, want %q", tc.profile, err, tc.want)
		}
		if _, err := NewChannel(tc.profile); err == nil {
			t.Errorf("%+v: NewChannel takes it", tc.profile)
		}
	}
}

func TestWithOverridesSingleValues(t *testing.T) {
	base := Profile{Loss: 0.3, Delay: time.Second, Seed: 7}
	got, err := base.With("loss=0.6,burst-time=500ms,jitter=20ms,rate=32k," +
		"queue=64k,reorder=.01,duplicate=0.02")
	if err != nil {
		t.Fatal(err)
	}
	want := Profile{Loss: 0.6, BurstTime: 500 * time.Millisecond, Delay: time.Second,
		Jitter: 20 * time.Millisecond,
		Rate:   32_000, Queue: 65_536, Reorder: 0.01, Duplicate: 0.02, Seed: 7}
	if got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestWithRefuses(t *testing.T) {
	for _, s := range []string{
		"", ",", "loss", "loss=", "loss=x", "loss=0.1,", "loss=0.1,loss=0.2", "loss =0.1", "loss= 0.1",
		"lost=0.1", "loss=-0", "loss=1e-3", "loss=0x1p-2", "loss=Inf", "loss=nan", "loss=30%", "loss=1_0",
		"delay=5", "delay=-5ms", "delay=1d", "rate=32kk", "rate=-1", "rate=k", "rate=1T", "rate=99999999999G",
		"queue=1.5.5", "queue=99G", "seed=-1", "seed=1.5", "seed=18446744073709551616", "Loss=0.1",
	} {
		if p, err := (Profile{}).With(s); err == nil {
			t.Errorf("%q: taken as %v", s, p)
		} else if strings.ContainsRune(err.Error(), '\n') {
			t.Errorf("%q: error of several lines", s)
		}
	}
}

func TestParseRateAndSize(t *testing.T) {
	for s, want := range map[string]int64{"0": 0, "12000": 12_000, "32k": 32_000, "32K": 32_000,
		"1.5M": 1_500_000, "2G": 2_000_000_000} {
		if got, err := parseRate(s); err != nil || got != want {
			t.Errorf("rate %q: %d, %v", s, got, err)
		}
	}
	for s, want := range map[string]int{"0": 0, "1500": 1500, "64k": 65_536, "0.5k": 512, "1M": 1 << 20} {
		if got, err := parseSize(s); err != nil || got != want {
			t.Errorf("size %q: %d, %v", s, got, err)
		}
	}
}

func TestParseBlackout(t *testing.T) {
	got, err := ParseBlackout("both@10s+55s")
	if want := (Blackout{Both, 10 * time.Second, 55 * time.Second}); err != nil || got != want {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err = ParseBlackout("up@0s+1m"); err != nil || got.Direction != Up || got.At != 0 {
		t.Errorf("got %v, %v", got, err)
	}
	for _, s := range []string{"", "both", "both@10s", "@1s+1s", "both@1s+0s", "both@-1s+1s", "both@1s+-1s",
		"left@1s+1s", "up@1s+1s+1s", "up@+", "UP@1s+1s", "up@2000000h+2000000h"} {
		if b, err := ParseBlackout(s); err == nil {
			t.Errorf("%q: taken as %v", s, b)
		}
	}
}

func FuzzWith(f *testing.F) {
	f.Add("loss=0.6,delay=150ms")
	f.Add("rate=1.5M,queue=64k,seed=1,burst=4,jitter=20ms,reorder=0.01,duplicate=0.01")
	f.Fuzz(func(t *testing.T, s string) {
		p, err := (Profile{}).With(s)
		if err != nil || p == (Profile{}) {
			return
		}
		again, err := (Profile{}).With(p.String())
		if err != nil || again != p {
			t.Errorf("%q: %v became %v, %v", s, p, again, err)
		}
		c, err := NewChannel(p)
		if err != nil {
			return
		}
		for range 10 {
			if v := c.Send(epoch, 100); v.Copies > 0 && v.At.Before(epoch) {
				t.Errorf("%v: arrives before it was sent", p)
			}
		}
	})
}

func FuzzParseBlackout(f *testing.F) {
	f.Add("both@10s+55s")
	f.Add("up@0+1h")
	f.Fuzz(func(t *testing.T, s string) {
		b, err := ParseBlackout(s)
		if err != nil {
			return
		}
		if again, err := ParseBlackout(b.String()); err != nil || again != b {
			t.Errorf("%q: %v became %v, %v", s, b, again, err)
		}
		if b.At < 0 || b.For <= 0 {
			t.Errorf("%q: taken as %v", s, b)
		}
	})
}
