//go:build race

package link

const raceDetector = true // sync.Pool forgets at random then, and so allocates
