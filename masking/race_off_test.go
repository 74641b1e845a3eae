//go:build !race

package masking

const raceDetector = false
