//go:build race

package jitter

// raceDetector: every access to memory costs ten times as much, so the longest
// simulations are shortened.
const raceDetector = true
