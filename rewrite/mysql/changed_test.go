package mysql_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sqlveil/rewrite/mysql"
)

// A check that had begun when definitions changed is not relied upon.
func TestChangedDuringACheck(t *testing.T) {
	const latency = 50 * time.Millisecond // so much that checks are reused
	synctest.Test(t, func(t *testing.T) {
		print, checks := "before", 0
		catalogs := mysql.NewCatalogs(func(context.Context) (mysql.Ask, func(), error) {
			return func(_ context.Context, sql string) ([][]*string, error) {
				if !strings.Contains(sql, "SHA2") {
					return nil, nil
				}
				checks++
				was := print
				time.Sleep(latency)
				return [][]*string{{&was}}, nil
			}, func() {}, nil
		})
		defer catalogs.Close()
		fresh := func() {
			if _, err := catalogs.Fresh(t.Context(), ""); err != nil {
				t.Error(err)
			}
		}
		fresh()
		time.Sleep(time.Minute)
		done := make(chan struct{})
		go func() {
			defer close(done)
			fresh()
		}()
		time.Sleep(latency / 2) // it has asked, and is not answered
		print = "after"
		catalogs.Changed("")
		<-done
		before := checks
		fresh()
		if checks == before {
			t.Error("the check from before the change is relied upon")
		}
	})
}
