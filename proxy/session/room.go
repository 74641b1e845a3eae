package session

import "sync/atomic"

// A Room bounds how many sessions there are at a time, of all servers that share it.
type Room struct {
	most  int64
	taken atomic.Int64
}

// NewRoom returns a room for so many sessions.
func NewRoom(most int) *Room { return &Room{most: int64(most)} }

// enter takes a place, if there is one. A nil Room has no end of them.
func (r *Room) enter() bool {
	if r == nil {
		return true
	}
	if r.taken.Add(1) > r.most {
		r.taken.Add(-1)
		return false
	}
	return true
}

// leave gives the place back that enter took.
func (r *Room) leave() {
	if r != nil {
		r.taken.Add(-1)
	}
}
