// Package config reads the two files that sqlveil is run by: sqlveil.yaml, how
// the program runs, and the policy, who sees what.
//
// [Load] reads both, strictly: an unknown key is an error, and so is a file that
// is named but cannot be used. It reports everything that is wrong in one go,
// each [Problem] with its place. What it returns is complete: paths are resolved
// against the file that names them, secrets and certificates are read, and the
// policy is compiled. It is plain data from then on; a reload is another Load.
//
// YAML anchors, aliases and merge keys are refused: what a policy says should
// stand where it is read.
package config
