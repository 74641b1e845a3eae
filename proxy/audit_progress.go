package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

const (
	barWidth    = 30
	barEvery    = 100 * time.Millisecond
	barPatience = 500 * time.Millisecond // work that is done sooner shows no bar
)

// progress returns what draws a bar on a terminal; nil when to is none. It may
// be called by several goroutines.
func progress(to io.Writer, label string) func(done, total int64) {
	f, ok := to.(*os.File)
	if !ok {
		return nil
	}
	if info, err := f.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return nil
	}
	var mu sync.Mutex
	began := time.Now()
	drawn := began.Add(barPatience - barEvery)
	return func(done, total int64) {
		mu.Lock()
		defer mu.Unlock()
		now := time.Now()
		if total <= 0 || now.Sub(drawn) < barEvery && done < total || drawn.Before(began.Add(barPatience)) && done >= total {
			return
		}
		drawn = now
		fmt.Fprint(to, bar(label, done, total, now.Sub(began)))
	}
}

// bar is one line, which the next one overwrites; the last one removes it.
func bar(label string, done, total int64, took time.Duration) string {
	if done >= total {
		return "\r\x1b[K"
	}
	full := int(done * barWidth / total)
	left := "?"
	if done > 0 {
		left = time.Duration(float64(took) * float64(total-done) / float64(done)).Round(time.Second).String()
	}
	return fmt.Sprintf("\r\x1b[K%s [%s%s] %3d%%, %s left", label,
		strings.Repeat("#", full), strings.Repeat(".", barWidth-full), done*100/total, left)
}
