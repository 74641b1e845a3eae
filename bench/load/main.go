// Load compares the same work done directly and through sqlveil, and through the
// floors of package bench, in turns: every contestant in every round.
//
// It starts everything itself. A figure is the median over the rounds; the ratio
// behind it is to go-copy, a relay that only copies bytes. "cpu" is the
// processor time of the proxy alone, which is what repeats on a busy machine.
//
// With -soak it lets sessions come and go for that long instead, prints the
// memory that the proxy holds, and fails when it keeps growing.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"sqlveil/bench"
)

// options are the flags.
type options struct {
	rounds   int
	duration time.Duration
	clients  int
	soak     time.Duration
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var o options
	flag.IntVar(&o.rounds, "rounds", 5, "rounds")
	flag.DurationVar(&o.duration, "duration", 2*time.Second, "of each measurement")
	flag.IntVar(&o.clients, "clients", 8, "sessions at the same time")
	flag.DurationVar(&o.soak, "soak", 0, "let sessions come and go for so long instead")
	floor := flag.String("floor", "", "be this floor: relay -listen to -target; for the program itself")
	target := flag.String("target", "", "see -floor")
	flag.Parse()
	err := error(nil)
	switch {
	case *floor != "":
		err = beFloor(*floor, *target)
	case o.soak > 0:
		err = soak(ctx, o)
	default:
		err = compare(ctx, o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

// beFloor relays until it is killed. Its first line of output is its address.
func beFloor(name, target string) error {
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(socket.Addr())
	return bench.ServeFloor(socket, target, bench.Floors[name])
}

// compare measures every contestant in every round and prints the medians.
func compare(ctx context.Context, o options) error {
	l, err := startLab(ctx)
	if err != nil {
		return err
	}
	defer l.close()
	for _, work := range works {
		seen := make(map[string][]measurement)
		for range o.rounds {
			for _, c := range l.contestants {
				m, err := measure(ctx, c, work, o)
				if err != nil {
					return fmt.Errorf("%s, %s: %w", work.name, c.name, err)
				}
				seen[c.name] = append(seen[c.name], m)
			}
		}
		fmt.Printf("\n%s\n%-18s %12s %8s %14s %8s\n", work.name, "", work.unit+"/s", "ratio", "cpu us/"+work.unit, "ratio")
		for _, c := range l.contestants {
			floor, own := seen["go-copy"], seen[c.name]
			fmt.Printf("%-18s %12.0f %8.2f %14.2f %8.2f\n", c.name,
				median(own, measurement.rate), ratio(own, floor, measurement.rate), median(own, measurement.cost), ratio(own, floor, measurement.cost))
		}
	}
	return nil
}

func median(of []measurement, value func(measurement) float64) float64 {
	values := make([]float64, len(of))
	for i, m := range of {
		values[i] = value(m)
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// ratio is the median of the ratios of each round.
func ratio(of, to []measurement, value func(measurement) float64) float64 {
	values := make([]float64, len(of))
	for i := range of {
		values[i] = value(of[i]) / value(to[i])
	}
	slices.Sort(values)
	return values[len(values)/2]
}
