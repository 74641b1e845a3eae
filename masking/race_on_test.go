//go:build race

package masking

// raceDetector says that sync.Pool drops what it is given now and then, so that
// what uses one allocates.
const raceDetector = true
