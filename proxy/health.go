package main

import (
	"fmt"
	"slices"
	"sync"
)

// health is what is wrong with a running gateway.
type health struct {
	mu      sync.Mutex
	checks  []check
	reports map[string]error // guarded by mu; by part
}

// A check asks a part of the program how it is.
type check struct {
	part string
	ask  func() error
}

// watch adds a part that is asked whenever somebody wants to know.
func (h *health) watch(part string, ask func() error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.checks = append(h.checks, check{part, ask})
}

// report notes what is wrong with a part; nil is that nothing is any more.
func (h *health) report(part string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.reports == nil {
		h.reports = make(map[string]error)
	}
	if h.reports[part] = err; err == nil {
		delete(h.reports, part)
	}
}

// problems lists what is wrong, in order.
func (h *health) problems() []string {
	h.mu.Lock()
	checks := slices.Clone(h.checks)
	var found []string
	for part, err := range h.reports {
		found = append(found, fmt.Sprintf("%s: %v", part, err))
	}
	h.mu.Unlock()
	for _, c := range checks {
		if err := c.ask(); err != nil {
			found = append(found, fmt.Sprintf("%s: %v", c.part, err))
		}
	}
	slices.Sort(found)
	return found
}
