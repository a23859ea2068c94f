package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is a child whose cost is measured.
type process struct {
	cmd     *exec.Cmd
	addr    string // where it listens: UDP
	drained sync.WaitGroup
}

// startProcess runs this program with args and waits until it says where it listens, in a JSON line on its
// standard error with the field "udp".
func startProcess(ctx context.Context, args ...string) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		var listening struct {
			UDP string `json:"udp"`
		}
		if json.Unmarshal(lines.Bytes(), &listening) == nil && listening.UDP != "" {
			p := &process{cmd: cmd, addr: listening.UDP}
			p.drained.Go(func() { // a full pipe would stop the child
				_, _ = io.Copy(io.Discard, stderr)
			})
			return p, nil
		}
	}
	return nil, errors.Join(fmt.Errorf("%s did not start", args[0]), cmd.Wait())
}

// stop ends the process.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	p.drained.Wait()
	_ = p.cmd.Wait()
}

// cost runs f, and returns the CPU time of the process for each packet that f counts, in microseconds.
func (p *process) cost(f func() (packets uint64, err error)) (float64, error) {
	before, err := p.cpu()
	if err != nil {
		return 0, err
	}
	packets, err := f()
	if err != nil {
		return 0, err
	}
	after, err := p.cpu()
	return float64((after - before).Nanoseconds()) / 1000 / float64(packets), err
}

// cpu returns how much processor time the process has used, all threads, in user and kernel.
func (p *process) cpu() (total time.Duration, err error) {
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", p.cmd.Process.Pid))
	for _, task := range tasks {
		ns, err := p.statistic("task/"+task.Name()+"/schedstat", 0)
		if err != nil {
			return 0, err
		}
		total += time.Duration(ns)
	}
	return total, err
}

// resident returns the process's resident memory in bytes.
func (p *process) resident() (int64, error) {
	pages, err := p.statistic("statm", 1)
	return pages * int64(os.Getpagesize()), err
}

// statistic returns one of the numbers in a file of the process in /proc.
func (p *process) statistic(file string, field int) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", p.cmd.Process.Pid, file))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(b))
	if field >= len(fields) {
		return 0, fmt.Errorf("%s: %q", file, b)
	}
	return strconv.ParseInt(fields[field], 10, 64)
}
