// Command wzp is the relay, the command-line client and the network lab in one binary.
//
// Each command lives in a file of its own, named after it. Commands print results on standard
// output and one-line errors, which say what to do, on standard error. Exit status: 0 on
// success, 1 on failure, 2 on wrong usage.
//
// Locks, in the order in which they are taken:
//
//	relayPage.mu         (I/O) the relay is asked once, and whoever asks for its answer waits for that
//	joinOutput.mu        (I/O) a line is printed at a time
//	lockedWriter.record  (I/O) a record is written at a time
//	benchRoom.mu
package main

import (
	"context"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
)

// cli is the command line; kong reads it from the struct tags.
type cli struct {
	Analyze  analyzeCmd  `cmd:"" help:"Say from event logs where packets were lost."`
	Answer   answerCmd   `cmd:"" help:"Take calls."`
	Call     callCmd     `cmd:"" help:"Call somebody."`
	Bench    benchCmd    `cmd:"" help:"Measure."`
	Contacts contactsCmd `cmd:"" help:"List, remember or forget people."`
	ID       idCmd       `cmd:"" name:"id" help:"Show, create or restore your identity."`
	Join     joinCmd     `cmd:"" help:"Join a room and talk."`
	Netsim   netsimCmd   `cmd:"" help:"Forward UDP through a simulated bad network."`
	Page     pageCmd     `cmd:"" help:"Serve the page for browsers from this machine, for any relay."`
	Relay    relayCmd    `cmd:"" help:"Run a relay."`
	Secret   secretCmd   `cmd:"" help:"Make an invite secret for a room."`
	Version  versionCmd  `cmd:"" help:"Print the version."`

	VersionFlag kong.VersionFlag `name:"version" help:"Print the version."`
}

func main() {
	// The QUIC library wants buffers of its own size and says so on standard error, in words that no user of
	// ours knows: what the system gives is said by who needs it.
	os.Setenv("QUIC_GO_DISABLE_RECEIVE_BUFFER_WARNING", "true")
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	code := run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

// run parses args, runs the command and returns the exit status.
func run(ctx context.Context, args []string) int {
	var c cli
	parser, err := kong.New(&c, append(plainMappers(),
		kong.Name("wzp"),
		kong.Description("Encrypted group voice for bad networks."),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.ValueFormatter(helpWithDefault),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Vars{"version": "wzp " + buildVersion()},
	)...)
	if err != nil {
		panic(err) // a mistake in the struct tags above
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	k, err := parser.Parse(args)
	if err != nil {
		return fail(parseError(err))
	}
	given, err := findGiven(k)
	if err == nil {
		err = k.Run(given)
	}
	if err != nil {
		return fail(err)
	}
	return 0
}

// helpWithDefault is a flag's help with its default, which a placeholder would hide.
func helpWithDefault(value *kong.Value) string {
	help := kong.DefaultHelpValueFormatter(value)
	if value.HasDefault && value.Default != "" && !strings.Contains(strings.ToLower(help), "default") {
		return strings.TrimSuffix(help, ".") + " (default: " + value.Default + ")."
	}
	return help
}
