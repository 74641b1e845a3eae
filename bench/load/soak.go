package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"sqlveil/proxy/proxytest"
)

// soakGrowth is how much more memory the proxy may hold in the last quarter than
// in the second: the first is for warming up.
const soakGrowth = 1.2

// soak lets sessions come and go and watches the proxy's memory.
func soak(ctx context.Context, o options) error {
	l, err := startLab(ctx, &postgresql)
	if err != nil {
		return err
	}
	defer l.close()
	ctx, stop := context.WithTimeout(ctx, o.soak)
	defer stop()
	var wg sync.WaitGroup
	const clients = 8
	errs := make(chan error, clients)
	for i := range clients {
		user := []string{clearUser, maskedUser}[i%2]
		wg.Go(func() {
			if err := comeAndGo(ctx, proxytest.PostgresDSN(l.proxies[0].Address, user, database)); err != nil && ctx.Err() == nil {
				errs <- fmt.Errorf("as %s: %w", user, err)
				stop()
			}
		})
	}
	samples := l.watch(ctx, o.soak/40)
	wg.Wait()
	select {
	case err := <-errs:
		return err
	default:
	}
	quarter := len(samples) / 4
	if quarter == 0 {
		return fmt.Errorf("only %d samples of the memory", len(samples))
	}
	second, last := highest(samples[quarter:2*quarter]), highest(samples[3*quarter:])
	fmt.Printf("soak: highest in the second quarter %.1f MiB, in the last %.1f MiB\n", second, last)
	if last > second*soakGrowth {
		return fmt.Errorf("the proxy's memory grows")
	}
	return nil
}

// watch samples the proxy's memory until ctx ends.
func (l *lab) watch(ctx context.Context, every time.Duration) (samples []float64) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return samples
		case <-tick.C:
			mib, err := residentOf(l.proxies[0].Process.Pid, "VmRSS")
			if err != nil {
				return samples // it has died, which its clients tell too
			}
			fmt.Printf("%s %.1f MiB\n", time.Now().Format(time.TimeOnly), mib)
			samples = append(samples, mib)
		}
	}
}

func highest(samples []float64) float64 {
	most := samples[0]
	for _, sample := range samples {
		most = max(most, sample)
	}
	return most
}

// comeAndGo is a client that logs in, does a few things and leaves, again and
// again.
func comeAndGo(ctx context.Context, dsn string) error {
	for ctx.Err() == nil {
		conn, err := pgx.Connect(ctx, dsn)
		if err != nil {
			return err
		}
		for range rand.IntN(50) {
			work := simpleQuery
			switch rand.IntN(500) {
			case 0:
				work = textRows
			case 1:
				work = copyRows
			}
			for _, run := range []func(context.Context, *pgconn.PgConn) (int, error){work, newShape} {
				if _, err := run(ctx, conn.PgConn()); err != nil {
					return err
				}
			}
		}
		if err := conn.Close(ctx); err != nil {
			return err
		}
	}
	return nil
}
