package main

import (
	"strings"
	"testing"
	"time"
)

const sysbenchOutput = `sysbench 1.0.20 (using system LuaJIT 2.1.0-beta3)

Threads started!

Latency histogram (values are in milliseconds)
       value  ------------- distribution ------------- count
       0.160 |****************************************** 3
       0.250 |                                         1

SQL statistics:
    transactions:                        4      (6.00 per sec.)
`

func TestFollowSysbench(t *testing.T) {
	m, err := followSysbench(contestant{}, strings.NewReader(sysbenchOutput))
	if err != nil {
		t.Fatal(err)
	}
	if m.units != 4 || len(m.took) != 4 || m.took[2] != 160*time.Microsecond || m.took[3] != 250*time.Microsecond || m.cpu != 0 {
		t.Errorf("%+v", m)
	}
	if _, err := followSysbench(contestant{}, strings.NewReader("FATAL: connection refused\n")); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("what sysbench failed with is not told: %v", err)
	}
}
