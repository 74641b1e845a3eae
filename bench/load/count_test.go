package main

import "testing"

func TestSumInstructions(t *testing.T) {
	const out = `desc: I1 cache:         32768 B, 64 B, 8-way associative
cmd: sqlveil serve
events: Ir
fl=/go/src/runtime/proc.go
fn=runtime.schedule
10 40
12 2
fl=/go/src/crypto/internal/fips140/sha256/sha256block_amd64.s
fn=crypto/internal/fips140/sha256.blockAVX2.abi0
7 900
fn=crypto/internal/fips140/sha256.(*Digest).Write
3 5
summary: 947
`
	if got, err := sumInstructions(out); err != nil || got != 47 {
		t.Errorf("got %v, %v, want 47", got, err)
	}
	if _, err := sumInstructions("1 x\n"); err == nil {
		t.Error("what is no count is none of the errors")
	}
	if _, err := sumInstructions("events: Ir\n"); err == nil {
		t.Error("a program that was not counted counts as none")
	}
}
