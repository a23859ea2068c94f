package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// untilHangUp is ctx until the terminal is closed (SIGHUP), unless that is to be ignored, as under nohup. Writing to a pipe that
// nobody reads is an error from now on, and does not end the program (SIGPIPE): whoever is in a room leaves it first.
func untilHangUp(ctx context.Context) (context.Context, context.CancelFunc) {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) // nobody reads it
	if signal.Ignored(syscall.SIGHUP) {
		return context.WithCancel(ctx)
	}
	return signal.NotifyContext(ctx, syscall.SIGHUP)
}
