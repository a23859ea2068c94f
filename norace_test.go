//go:build !race

package wzp

const raceDetector = false
