package main

import (
	"strings"
	"testing"
)

func TestUnknownPart(t *testing.T) {
	t.Parallel()
	for _, name := range append(partNames(), "") {
		if err := known(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	err := known("nonsense")
	if err == nil || !strings.Contains(err.Error(), `"nonsense"`) || !strings.Contains(err.Error(), strings.Join(partNames(), ", ")) {
		t.Errorf("a part that there is none of: %v", err)
	}
}
