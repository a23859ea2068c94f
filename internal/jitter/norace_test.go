//go:build !race

package jitter

const raceDetector = false
