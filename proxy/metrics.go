package main

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"sqlveil/proxy/session"
)

// registry gathers what /metrics shows.
func (g *gateway) registry() *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		gatewayCollector{g},
	)
	return registry
}

// A sessionMetric is one counter of [session.Metrics].
type sessionMetric struct {
	description *prometheus.Desc
	kind        prometheus.ValueType
	value       func(*session.Metrics) float64
}

func counter(name, help string, field func(*session.Metrics) *atomic.Uint64) sessionMetric {
	return sessionMetric{
		description: prometheus.NewDesc("sqlveil_"+name, help, []string{"listener"}, nil),
		kind:        prometheus.CounterValue,
		value:       func(m *session.Metrics) float64 { return float64(field(m).Load()) },
	}
}

var sessionMetrics = []sessionMetric{
	{
		description: prometheus.NewDesc("sqlveil_sessions", "Sessions open now.", []string{"listener"}, nil),
		kind:        prometheus.GaugeValue,
		value:       func(m *session.Metrics) float64 { return float64(m.Sessions.Load()) },
	},
	counter("sessions_total", "Sessions opened.", func(m *session.Metrics) *atomic.Uint64 { return &m.SessionsTotal }),
	counter("sessions_turned_away_total", "Connections turned away because there were too many.", func(m *session.Metrics) *atomic.Uint64 { return &m.SessionsFull }),
	counter("logins_failed_total", "Logins that came to nothing.", func(m *session.Metrics) *atomic.Uint64 { return &m.LoginsFailed }),
	counter("statements_total", "Statements let through.", func(m *session.Metrics) *atomic.Uint64 { return &m.Statements }),
	counter("statements_refused_total", "Statements refused by the policy.", func(m *session.Metrics) *atomic.Uint64 { return &m.Refused }),
	counter("statements_failed_total", "Statements that the server answered with an error.", func(m *session.Metrics) *atomic.Uint64 { return &m.Failed }),
	counter("rows_total", "Rows passed to clients.", func(m *session.Metrics) *atomic.Uint64 { return &m.Rows }),
	counter("row_bytes_total", "Bytes of rows passed to clients.", func(m *session.Metrics) *atomic.Uint64 { return &m.Bytes }),
	counter("masked_cells_total", "Values masked.", func(m *session.Metrics) *atomic.Uint64 { return &m.MaskedCells }),
	counter("questions_total", "Questions of our own on clients' connections.", func(m *session.Metrics) *atomic.Uint64 { return &m.Questions }),
	counter("drains_total", "Waits for answers before a statement could be planned.", func(m *session.Metrics) *atomic.Uint64 { return &m.Drains }),
	counter("mismatches_total", "Results that were not the ones planned.", func(m *session.Metrics) *atomic.Uint64 { return &m.Mismatches }),
	counter("cancels_total", "Cancel requests passed on.", func(m *session.Metrics) *atomic.Uint64 { return &m.Cancels }),
	counter("cancels_dropped_total", "Cancel requests over the limit.", func(m *session.Metrics) *atomic.Uint64 { return &m.CancelsDropped }),
	counter("panics_total", "Sessions ended by a fault of the program.", func(m *session.Metrics) *atomic.Uint64 { return &m.Panics }),
	counter("audit_errors_total", "Records that could not be written.", func(m *session.Metrics) *atomic.Uint64 { return &m.AuditErrors }),
}

var (
	buildInfo   = prometheus.NewDesc("sqlveil_build_info", "Always 1.", []string{"version"}, nil)
	policyInfo  = prometheus.NewDesc("sqlveil_policy_info", "Always 1.", []string{"policy"}, nil)
	healthy     = prometheus.NewDesc("sqlveil_healthy", "1 while /healthz says ok.", nil, nil)
	reloadsDone = prometheus.NewDesc("sqlveil_reloads_total", "Reloads, by result.", []string{"result"}, nil)
)

// A gatewayCollector reads a gateway's counters when it is asked.
type gatewayCollector struct{ *gateway }

// Describe implements [prometheus.Collector].
func (c gatewayCollector) Describe(descriptions chan<- *prometheus.Desc) {
	for _, m := range sessionMetrics {
		descriptions <- m.description
	}
	descriptions <- buildInfo
	descriptions <- policyInfo
	descriptions <- healthy
	descriptions <- reloadsDone
}

// Collect implements [prometheus.Collector].
func (c gatewayCollector) Collect(metrics chan<- prometheus.Metric) {
	for _, l := range c.listeners {
		for _, m := range sessionMetrics {
			metrics <- prometheus.MustNewConstMetric(m.description, m.kind, m.value(l.server.Options.Metrics), l.settings.Name)
		}
	}
	well := 1.0
	if len(c.health.problems()) > 0 {
		well = 0
	}
	metrics <- prometheus.MustNewConstMetric(buildInfo, prometheus.GaugeValue, 1, version())
	metrics <- prometheus.MustNewConstMetric(policyInfo, prometheus.GaugeValue, 1, c.policy.Load().Version())
	metrics <- prometheus.MustNewConstMetric(healthy, prometheus.GaugeValue, well)
	metrics <- prometheus.MustNewConstMetric(reloadsDone, prometheus.CounterValue, float64(c.reloads.done.Load()), "done")
	metrics <- prometheus.MustNewConstMetric(reloadsDone, prometheus.CounterValue, float64(c.reloads.failed.Load()), "failed")
}
