package link

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

const (
	raceAfter = 2 * time.Second // an attempt that is not welcomed by then is joined by another
	// raceAfterSilent is the same while nothing at all has come from the relay. At 8 kbit/s the first answer takes almost
	// three seconds.
	raceAfterSilent = 3 * time.Second
	// raceRoundTrips is how many an attempt gets, at least: it needs two. Each attempt sends several times what fits in
	// one, so on a slow path those that loss does not demand are in each other's way, for minutes.
	raceRoundTrips = 4
	// raceSlow is a round trip that may be that of a queue: no attempt joins others while answers come.
	raceSlow     = time.Second
	maxAttempts  = 3 // at once
	firstBackoff = 500 * time.Millisecond
	maxBackoff   = 5 * time.Second
	// staleAttempt is the age from which an attempt makes room for one that has a reason to succeed at once.
	staleAttempt = 5 * time.Second
)

// race is several attempts to attach, of which the first to be welcomed wins.
//
//	start ──2 s──> start ──2 s──> start ... at most three at once, later where a round trip is long, and one more
//	  |              |              |       at once when the relay shows that it is back
//	  +──────────────+──────────────+──> results ──> the winner; the others are aborted
type race struct {
	client  *Client
	ctx     context.Context
	wg      sync.WaitGroup
	results chan result
	running []*entrant // oldest first
	losers  losers
	backoff time.Duration
	trip    roundTrip   // of all attempts
	next    *time.Timer // when another attempt is due
}

// entrant is an attempt that is under way.
type entrant struct {
	since  time.Time
	cancel context.CancelFunc
}

type result struct {
	entrant *entrant
	t       *attempt
	err     error
}

// attach races attempts until one is welcomed.
func (c *Client) attach(ctx context.Context) (*attempt, error) {
	ctx, cancel := context.WithCancel(ctx)
	r := &race{client: c, ctx: ctx, results: make(chan result), backoff: firstBackoff, next: time.NewTimer(raceAfter)}
	if s := c.Session(); s != nil {
		r.trip.latest = s.Quality().RTT // no attempt runs yet
	}
	r.start()
	winner, err := r.run()
	r.next.Stop()
	cancel()
	r.wg.Wait()
	if winner == nil {
		r.losers.release()
	} else {
		winner.losers = r.losers.list
	}
	return winner, err
}

// losers keeps the newest attempts that failed or were too late after they had said Hello.
type losers struct {
	mu   sync.Mutex // guards list
	list []*attempt // the newest last, at most maxAttempts
}

// add ends an attempt, and keeps it if the relay may have attached it.
func (l *losers) add(t *attempt) {
	if !t.said {
		t.abort()
		return
	}
	t.lost()
	var gone *attempt
	l.mu.Lock()
	if len(l.list) == maxAttempts {
		gone, l.list = l.list[0], l.list[1:]
	}
	l.list = append(l.list, t)
	l.mu.Unlock()
	if gone != nil {
		gone.abort()
	}
}

// release forgets them all.
func (l *losers) release() {
	l.mu.Lock()
	list := l.list
	l.list = nil
	l.mu.Unlock()
	for _, t := range list {
		t.abort()
	}
}

// run returns the winner.
func (r *race) run() (*attempt, error) {
	var last error
	for {
		select {
		case res := <-r.results:
			r.leave(res.entrant)
			if res.err == nil {
				return res.t, nil
			}
			if final(res.err) {
				return nil, res.err
			}
			if r.ctx.Err() == nil {
				last = res.err
			}
			r.client.ep.log.Debug("an attempt to attach failed", "err", res.err)
			if len(r.running) == 0 {
				r.next.Reset(r.backoff/2 + jitter(r.backoff/2))
				r.backoff = min(2*r.backoff, maxBackoff)
			}
		case <-r.next.C:
			switch wait := r.due(); {
			case wait > 0:
				r.next.Reset(wait)
			case len(r.running) < maxAttempts:
				r.start()
			default:
				r.next.Reset(raceAfter)
			}
		case <-r.client.restarted:
			r.hurry()
		case <-r.ctx.Done():
			if last == nil {
				last = context.Cause(r.ctx)
			}
			return nil, fmt.Errorf("the relay does not answer: %w", last)
		}
	}
}

// start begins another attempt.
func (r *race) start() {
	ctx, cancel := context.WithCancel(r.ctx)
	e := &entrant{since: time.Now(), cancel: cancel}
	r.running = append(r.running, e)
	r.next.Reset(raceAfter)
	r.wg.Go(func() {
		defer cancel()
		t, err := r.client.try(ctx, &r.trip)
		if err != nil && t != nil {
			r.losers.add(t)
			t = nil
		}
		select {
		case r.results <- result{e, t, err}:
		case <-r.ctx.Done():
			if t != nil {
				r.losers.add(t)
			}
		}
	})
}

// hurry begins an attempt because the relay has just shown that it is there: those under way may be deep in
// QUIC's back-off. The oldest makes room. A reset is no proof, so this is not done for each of them.
func (r *race) hurry() {
	now := time.Now()
	n := len(r.running)
	if n > 0 && now.Sub(r.running[n-1].since) < firstBackoff {
		return
	}
	if n >= maxAttempts {
		if now.Sub(r.running[0].since) < staleAttempt {
			return
		}
		r.running[0].cancel()
	}
	r.start()
}

// due is how long to wait until another attempt joins those that run.
func (r *race) due() time.Duration {
	if len(r.running) == 0 {
		return 0
	}
	newest := r.running[len(r.running)-1].since
	trip, heard := r.trip.read()
	if heard.IsZero() {
		return time.Until(newest.Add(raceAfterSilent))
	}
	wait := time.Until(newest.Add(max(raceAfter, raceRoundTrips*trip)))
	if trip > raceSlow {
		wait = max(wait, time.Until(heard.Add(2*trip)))
	}
	return wait
}

// leave notes that an attempt is over.
func (r *race) leave(e *entrant) {
	for i, other := range r.running {
		if other == e {
			r.running = append(r.running[:i:i], r.running[i+1:]...)
			return
		}
	}
}

// jitter returns a random duration below d.
func jitter(d time.Duration) time.Duration {
	var b [8]byte
	rand.Read(b[:])
	return time.Duration(binary.BigEndian.Uint64(b[:]) % uint64(d))
}

// FinalError is a failure that trying again does not mend: the relay's key is not the expected one.
type FinalError struct{ Err error }

func (e *FinalError) Error() string { return e.Err.Error() }
func (e *FinalError) Unwrap() error { return e.Err }

// final reports whether trying again is useless.
func final(err error) bool {
	if refused := new(wire.Refused); errors.As(err, &refused) {
		return refused.Code != wire.CodeShuttingDown
	}
	return errors.As(err, new(*FinalError)) || errors.Is(err, &wire.Goodbye{Code: wire.CodeReplaced}) || errors.Is(err, ErrClosed)
}
