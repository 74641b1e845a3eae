// Command mycanary makes SQL statements by a grammar, sends them through sqlveil
// to MariaDB or MySQL, and looks for what a role with masks may not learn.
//
// Every protected cell holds a token. No piece of one may be in any byte that a
// client receives, by text protocol, prepared statement or cursor. Two databases
// are alike but for their protected values: whoever sees constant masks alone must
// get the same bytes from both, however often a statement guesses a value right.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"
)

func main() {
	statements := flag.Int("statements", 20_000, "how many statements to send")
	seed := flag.Uint64("seed", uint64(time.Now().UnixNano()), "what the statements are made from")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := hunt(ctx, *seed, *statements); err != nil {
		fmt.Fprintln(os.Stderr, "mycanary:", err)
		os.Exit(1)
	}
}

func hunt(ctx context.Context, seed uint64, statements int) (err error) {
	l, err := newLab(ctx, seed)
	if err != nil {
		return err
	}
	defer l.close()
	t, err := l.run(ctx, seed, statements)
	fmt.Printf("seed %d: %s\n", seed, t)
	return err
}
