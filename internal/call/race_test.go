//go:build race

package call

const raceDetector = true // each trial takes three times as long: what loss decides is tried less often
