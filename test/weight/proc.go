package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const clockTick = 10 * time.Millisecond // of /proc/PID/stat

// add adds a process; and its threads, by their names.
func (c *cost) add(what string, pid int, threads bool) error {
	dir := fmt.Sprintf("/proc/%d", pid)
	_, spent, err := readStat(dir)
	if err != nil {
		return err
	}
	memory, err := share(dir)
	if err != nil {
		return err
	}
	for _, name := range []string{what, "all"} {
		c.cpu[name] += spent
		c.memory[name] += memory
	}
	if strings.HasPrefix(what, "chromium, ") {
		c.cpu["chromium"] += spent
		c.memory["chromium"] += memory
	}
	if !threads {
		return nil
	}
	tasks, err := filepath.Glob(dir + "/task/*")
	if err != nil {
		return err
	}
	for _, task := range tasks {
		name, spent, err := readStat(task)
		if os.IsNotExist(err) {
			continue // it has ended
		}
		if err != nil {
			return err
		}
		c.cpu[what+", "+name] += spent
	}
	return nil
}

// readStat returns the name and the CPU time of a process or thread.
func readStat(dir string) (name string, spent time.Duration, err error) {
	b, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return "", 0, err
	}
	from, to := strings.IndexByte(string(b), '('), strings.LastIndexByte(string(b), ')')
	if from < 0 || to < from {
		return "", 0, fmt.Errorf("%s/stat: %q", dir, b)
	}
	fields := strings.Fields(string(b[to+1:])) // from the third field on
	user, err := strconv.Atoi(fields[11])
	if err != nil {
		return "", 0, err
	}
	system, err := strconv.Atoi(fields[12])
	name = string(b[from+1 : to])
	return strings.TrimRight(name, "0123456789"), time.Duration(user+system) * clockTick, err
}

// share returns the bytes that a process uses, of shared ones its share.
func share(dir string) (int, error) {
	b, err := os.ReadFile(dir + "/smaps_rollup")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "Pss:"); ok {
			kb, err := strconv.Atoi(strings.Fields(rest)[0])
			return 1024 * kb, err
		}
	}
	return 0, fmt.Errorf("%s/smaps_rollup has no Pss", dir)
}

// descendants returns a process and all that it started, and those in turn.
func descendants(pid int) ([]int, error) {
	all := []int{pid}
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return nil, err
	}
	for _, task := range tasks {
		b, err := os.ReadFile(task)
		if err != nil {
			return nil, err
		}
		for field := range strings.FieldsSeq(string(b)) {
			child, err := strconv.Atoi(field)
			if err != nil {
				return nil, err
			}
			more, err := descendants(child)
			if err != nil {
				return nil, err
			}
			all = append(all, more...)
		}
	}
	return all, nil
}
