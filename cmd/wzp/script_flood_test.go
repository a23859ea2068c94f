package main

import (
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

var listeningAt = regexp.MustCompile(`msg=listening .*http=(\S+) admin=(\S+)`)

// scriptFlood opens COUNT connections to the page of the relay NAME, keeps them open, and waits until the
// relay has closed all but LEFT of them. What /metrics of the admin port says then goes to the file
// NAME.metrics.
func scriptFlood(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 || backgrounds(ts)[args[0]] == nil {
		ts.Fatalf("usage: flood NAME COUNT LEFT")
	}
	count, err := strconv.Atoi(args[1])
	ts.Check(err)
	left, err := strconv.Atoi(args[2])
	ts.Check(err)
	text, err := os.ReadFile(backgrounds(ts)[args[0]].out)
	ts.Check(err)
	at := listeningAt.FindSubmatch(text)
	if at == nil {
		ts.Fatalf("%s does not say where it listens:\n%s", args[0], text)
	}
	ended := make(chan struct{}, count)
	for range count {
		conn, err := net.Dial("tcp", string(at[1]))
		ts.Check(err)
		ts.Defer(func() { conn.Close() })
		go func() {
			io.Copy(io.Discard, conn)
			ended <- struct{}{}
		}()
	}
	// Within the time that a server waits for the first request: connections that it closes then are not
	// those meant.
	over := time.After(15 * time.Second)
	for n := range count - left {
		select {
		case <-ended:
		case <-over:
			ts.Fatalf("%d of %d connections were closed: the others hang", n, count)
		}
	}
	client := http.Client{Timeout: scriptPatience}
	answer, err := client.Get("http://" + string(at[2]) + "/metrics")
	ts.Check(err)
	defer answer.Body.Close()
	metrics, err := io.ReadAll(answer.Body)
	ts.Check(err)
	if answer.StatusCode != http.StatusOK {
		ts.Fatalf("the admin port says %s", answer.Status)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]+".metrics"), metrics, 0o600))
}
