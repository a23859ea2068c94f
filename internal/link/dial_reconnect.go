package link

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/wzp-voice/wzp/internal/wire"
)

const (
	// raceAfter is when an attempt that is not welcomed is joined by another. At 40 % loss and a round trip
	// of 300 ms one of 20 lines takes 2.5 s to open (see repeats, too).
	raceAfter = time.Second
	// raceAfterSilent is the same while nothing at all has come from the relay. At 8 kbit/s the first answer
	// takes almost three seconds. Two seconds instead gain nothing where much is lost: at 60 % loss and a
	// round trip of 300 ms the median of 1200 joins is 4.23 s with them and 4.28 s with three.
	raceAfterSilent = 3 * time.Second
	// raceRoundTrips is how many an attempt gets, at least: it needs two. Each attempt sends several times
	// what fits in one, so on a slow path those that loss does not demand are in each other's way, for
	// minutes.
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
//	start ──1 s──> start ──1 s──> start ... at most three at once, later where a round trip is long, and one more
//	  |              |              |       at once when the relay shows that it is back
//	  +──────────────+──────────────+──> results ──> the winner; the others are aborted
type race struct {
	client  *Client
	ctx     context.Context
	results chan result // each entrant sends one
	running []*entrant  // oldest first
	losers  []*attempt  // the newest, at most maxAttempts, that failed or were too late after their Hello
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
	t       *attempt // nil: it came to nothing
	err     error
}

// attach races attempts until one is welcomed.
func (c *Client) attach(ctx context.Context) (*attempt, error) {
	ctx, cancel := context.WithCancel(ctx)
	r := &race{client: c, ctx: ctx, results: make(chan result), backoff: firstBackoff}
	r.next = time.NewTimer(raceAfter)
	if s := c.Session(); s != nil {
		r.trip.latest = s.Quality().RTT // no attempt runs yet
	}
	r.start()
	winner, err := r.run()
	if winner != nil {
		c.ep.repeats.end(winner.remote)
	}
	r.next.Stop()
	cancel()
	for len(r.running) > 0 {
		r.finish(<-r.results)
	}
	if winner != nil {
		winner.losers = r.losers
		return winner, err
	}
	for _, t := range r.losers {
		t.abort()
	}
	return nil, err
}

// finish notes that an attempt is over, which did not win, and keeps it if the relay may have attached it.
func (r *race) finish(res result) {
	r.running = slices.DeleteFunc(r.running, func(e *entrant) bool { return e == res.entrant })
	switch t := res.t; {
	case t == nil:
	case !t.said:
		t.abort()
	default:
		t.close(lost)
		if len(r.losers) == maxAttempts {
			r.losers[0].abort()
			r.losers = r.losers[1:]
		}
		r.losers = append(r.losers, t)
	}
}

// run returns the winner.
func (r *race) run() (*attempt, error) {
	var last error
	for {
		select {
		case res := <-r.results:
			if res.err == nil {
				winner := res.t
				res.t = nil
				r.finish(res)
				return winner, nil
			}
			r.finish(res)
			if final(res.err) {
				return nil, res.err
			}
			if r.ctx.Err() == nil {
				last = res.err
			}
			r.client.ep.log.Debug("an attempt to attach failed", "err", res.err)
			if len(r.running) == 0 {
				r.next.Reset(r.backoff/2 + rand.N(r.backoff/2))
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
	go func() {
		defer cancel()
		t, err := r.client.try(ctx, &r.trip)
		r.results <- result{e, t, err} // attach waits for each
	}()
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

// FinalError is a failure that trying again does not mend: the relay's key is not the expected one.
type FinalError struct{ Err error }

func (e *FinalError) Error() string { return e.Err.Error() }
func (e *FinalError) Unwrap() error { return e.Err }

// final reports whether trying again is useless.
func final(err error) bool {
	if refused := new(wire.Refused); errors.As(err, &refused) {
		return refused.Code != wire.CodeShuttingDown
	}
	return errors.As(err, new(*FinalError)) || errors.Is(err, ErrClosed) ||
		errors.Is(err, &wire.Goodbye{Code: wire.CodeReplaced})
}
