package main

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"sqlveil/config"
)

// An adminServer answers on the admin address: /healthz and /metrics.
type adminServer struct {
	socket net.Listener
	server http.Server
}

// adminTimeout bounds what one request may take.
const adminTimeout = 10 * time.Second

func openAdmin(settings config.Admin, g *gateway) (*adminServer, error) {
	socket, err := listen(settings.Listen)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", g.serveHealth)
	mux.Handle("GET /metrics", promhttp.HandlerFor(g.registry(), promhttp.HandlerOpts{}))
	return &adminServer{socket: socket, server: http.Server{
		Handler:           mux,
		ReadHeaderTimeout: adminTimeout,
		ReadTimeout:       adminTimeout,
		WriteTimeout:      adminTimeout,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
	}}, nil
}

// serve answers until ctx ends. A failure ends the program by stop.
func (a *adminServer) serve(ctx context.Context, stop context.CancelCauseFunc) {
	defer context.AfterFunc(ctx, a.close)()
	if err := a.server.Serve(a.socket); !errors.Is(err, http.ErrServerClosed) {
		stop(err)
	}
}

func (a *adminServer) close() {
	_ = a.server.Close() // its listener too; requests are short
	_ = a.socket.Close() // where it was never served
}

// serveHealth says 200 while all is well and 503 with the reasons while not.
func (g *gateway) serveHealth(w http.ResponseWriter, _ *http.Request) {
	answer := struct {
		Status   string   `json:"status"`
		Problems []string `json:"problems,omitempty"`
		Policy   string   `json:"policy"`
	}{"ok", g.health.problems(), g.policy.Load().Version()}
	w.Header().Set("Content-Type", "application/json")
	if len(answer.Problems) > 0 {
		answer.Status = "unhealthy"
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(answer) // to somebody who has gone
}
