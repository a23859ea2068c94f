package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// untilHangUp is ctx until the terminal is closed (SIGHUP), unless that is to be ignored, as under nohup, or
// Ctrl-\ is pressed (SIGQUIT). A second SIGQUIT ends the program with a stack trace, should leaving hang.
// Writing to a pipe that nobody reads is an error from now on, and does not end the program (SIGPIPE):
// whoever is in a room leaves it first.
func untilHangUp(ctx context.Context) (context.Context, context.CancelFunc) {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) // nobody reads it
	ctx, stopQuit := signal.NotifyContext(ctx, syscall.SIGQUIT)
	context.AfterFunc(ctx, stopQuit)
	if signal.Ignored(syscall.SIGHUP) {
		return ctx, stopQuit
	}
	ctx, stopHangUp := signal.NotifyContext(ctx, syscall.SIGHUP)
	return ctx, func() { stopHangUp(); stopQuit() }
}
