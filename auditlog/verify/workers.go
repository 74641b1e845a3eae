package verify

import (
	"context"
	"iter"
	"os"
	"runtime"
	"sync"
	"sync/atomic"

	"sqlveil/auditlog/segment"
)

// inOrder scans segments on all cores and yields them in order.
func inOrder(ctx context.Context, dir string, files []segment.File, progress func(done, total int64)) iter.Seq[*scanned] {
	read := counter(files, progress)
	return func(yield func(*scanned) bool) {
		ctx, stop := context.WithCancel(ctx)
		var workers sync.WaitGroup
		defer workers.Wait()
		defer stop()
		results := make([]chan *scanned, len(files))
		for i := range results {
			results[i] = make(chan *scanned, 1)
		}
		ahead := make(chan struct{}, 2*runtime.GOMAXPROCS(0)) // segments in memory
		var next atomic.Int64
		for range runtime.GOMAXPROCS(0) {
			workers.Go(func() {
				for {
					select {
					case ahead <- struct{}{}:
					case <-ctx.Done():
						return
					}
					i := int(next.Add(1)) - 1
					if i >= len(files) {
						return
					}
					results[i] <- scan(ctx, dir, files[i], read)
				}
			})
		}
		for _, result := range results {
			select {
			case s := <-result:
				if !yield(s) {
					return
				}
				<-ahead
			case <-ctx.Done():
				return
			}
		}
	}
}

// counter adds up what is read of all files for progress.
func counter(files []segment.File, progress func(done, total int64)) func(int64) {
	var done atomic.Int64
	var total int64
	for _, f := range files {
		if info, err := os.Stat(f.Path); err == nil {
			total += info.Size()
		}
	}
	return func(n int64) {
		if sum := done.Add(n); progress != nil {
			progress(sum, total)
		}
	}
}
