//go:build race

package link

const raceEnabled = true // sync.Pool forgets at random then, and so allocates
