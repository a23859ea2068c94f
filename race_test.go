//go:build race

package wzp

const raceDetector = true // each trial takes three times as long: what loss decides is tried less often
