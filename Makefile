# make demo      try it: a PostgreSQL of its own, the proxy, three roles; without a
#                terminal it does not wait but checks every shown value
# make demo-mysql  the same with MariaDB
# make build     bin/sqlveil
# make test      every test; installs servers and clients that are missing
# make lint      gofumpt, go vet, staticcheck
# make ci        what .ci/run does: lint and test
# make race      the tests of what runs concurrently, with the race detector
# make fuzz      every fuzz test for FUZZTIME (10s)
# make bench     what sqlveil costs, beside PgBouncer, HAProxy and relays that only
#                copy, with up to ten thousand sessions: ten minutes for PostgreSQL and ten for
#                MariaDB, a table and a chart of each in bench/results; ENGINE=mariadb, mysql or
#                postgresql for one alone; mysql is left out unless make my-versions has unpacked it or
#                SQLVEIL_MYSQL_BIN names its programs; PART=tls, growth, ... for one part, printed only;
#                the README's tables then quote the new ones
# make bench-short   the same in five minutes, printed only
# make micro     the benchmarks of single parts: relay, plan, mask and audit, with
#                their allocations, compared by benchstat with bench/results/micro.txt;
#                make micro-baseline replaces that
# make guard     instructions, allocations and system calls of a query and of a
#                row, compared with bench/baseline.txt
# make regress   PostgreSQL's own regression files, directly and through the proxy
# make my-regress  the tests that come with MariaDB, directly and through the proxy:
#                text, prepared, with cursors, and those of the C API; MYSQL=directory: those of
#                a MySQL server that is unpacked there with its mysql-testsuite; FILES=regexp; FOR=20m for each protocol
# make audit-soak  the audit log: KILLS (1000) deaths of the process that writes it and of
#                the proxy under pgbench, then questions to RECORDS (10000000) records
# make judge     the lineage of 100,000 statements and more against the server's own
#                analysis: our generator's, sqlsmith's, the regression files'; with
#                CASES=directory those of case files, too; and statements that are
#                let run, over data that differs in protected values alone
# make versions  the tests that ask PostgreSQL, with 16, 17 and 18; what is known of functions with 14
# make my-versions  the tests that ask MySQL or MariaDB, with MySQL 5.7 to 9,
#                MariaDB 10.6 and 11.8, and the TiDB whose program SQLVEIL_TIDB names
# make canary    CANARIES (100000) generated statements and as many of sqlsmith, as a
#                role with masks in front of PostgreSQL: no piece of a protected value
#                comes out; and two databases that differ in protected values alone
#                answer alike
# make mycanary  generated statements for MariaDB, looking for tokens and differences
# make soak      sessions that come and go for SOAKTIME (10m), watching memory

GOFUMPT     = mvdan.cc/gofumpt@v0.12.0
BENCHSTAT   = golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da
MICRO       = go test -run '^$$' -bench . -benchmem -benchtime 200ms -count 6 ./bench
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
FUZZTIME    = 10s
CANARIES    = 100000
MYCANARIES  = 100000
SOAKTIME    = 10m
ENGINE      =
PART        =
KILLS       = 1000
RECORDS     = 10000000

.DEFAULT_GOAL := build
.PHONY: build demo demo-mysql test lint ci race fuzz bench bench-short micro micro-baseline guard regress my-regress judge versions my-versions canary mycanary soak audit-soak clean

build:
	@.ci/install build
	go build -o bin/sqlveil ./proxy

demo:
	@.ci/install demo
	go build -o bin/sqlveil ./proxy
	@if [ -t 0 ] && [ -t 1 ]; then bin/sqlveil demo; else bin/sqlveil demo --once; fi

demo-mysql:
	@.ci/install demo-mysql
	go build -o bin/sqlveil ./proxy
	@if [ -t 0 ] && [ -t 1 ]; then bin/sqlveil demo --mysql; else bin/sqlveil demo --mysql --once; fi

test:
	@.ci/install test
	go test -timeout 30m ./...

race:
	@.ci/install test
	go test -timeout 30m -race ./protocol/... ./auditlog/... ./proxy/...

lint:
	@.ci/install build
	@unformatted=$$(go run $(GOFUMPT) -l $$(git ls-files '*.go')); \
	if [ -n "$$unformatted" ]; then echo "not formatted by gofumpt:"; echo "$$unformatted"; exit 1; fi
	go vet ./...
	go run $(STATICCHECK) ./...

ci:
	.ci/run

fuzz:
	@for package in $$(go list ./...); do \
		for fuzz in $$(go test -list '^Fuzz' $$package | grep '^Fuzz'); do \
			echo "$$package $$fuzz"; \
			go test -run '^$$' -fuzz "^$$fuzz\$$" -fuzztime $(FUZZTIME) $$package || exit 1; \
		done; \
	done

bench:
	@.ci/install bench
	go run ./bench/load -engine "$(ENGINE)" $(if $(PART),-part $(PART),-out bench/results)
	$(if $(PART),,go test -count=1 -run '^TestReadme' ./bench/load -readme)

bench-short:
	@.ci/install bench
	go run ./bench/load -engine "$(ENGINE)" -short

micro:
	@.ci/install bench
	@mkdir -p .tools
	$(MICRO) > .tools/micro.txt
	go run $(BENCHSTAT) bench/results/micro.txt .tools/micro.txt

micro-baseline:
	@.ci/install bench
	$(MICRO) > bench/results/micro.txt

guard:
	@.ci/install bench
	go run ./bench/load -engine "$(ENGINE)" -guard bench/baseline.txt

regress:
	@.ci/install test
	go run ./bench/regress

my-regress:
	@.ci/install my-regress
	go run ./bench/myregress $(if $(MYSQL),-mysql $(MYSQL)) $(if $(FILES),-files '$(FILES)') $(if $(FOR),-for $(FOR))

judge:
	@.ci/install judge
	regress=$$(go run ./bench/regress -sources) && go test -count=1 -timeout 6h -v -run '^TestJudge' ./rewrite/pgsql \
		-judge.generated 160000 -judge.mutated 20000 -judge.sqlsmith 60000 -judge.regression "$$regress" $(if $(CASES),-judge.cases $(CASES))
	go test -count=1 -timeout 6h -v -run '^TestProtectedValuesMakeNoDifference$$' ./rewrite/pgsql -alike 30000

versions:
	@.ci/install versions
	SQLVEIL_POSTGRESQL_BIN=$(CURDIR)/.tools/postgresql/14/bin \
		go test -count=1 -timeout 30m -run 'Every|Total|Keep|Agree|Strict|Operators|Casts' ./rewrite/pgsql
	for version in 16 17 18; do \
		export SQLVEIL_POSTGRESQL_BIN=$(CURDIR)/.tools/postgresql/$$version/bin; echo "PostgreSQL $$version"; \
		go test -count=1 -timeout 30m ./rewrite/pgsql ./proxy/pgrelay && \
			go test -count=1 -timeout 30m -run '^Test(Leak|Useful)' ./proxy || exit 1; \
	done

my-versions:
	@.ci/install my-versions
	for server in 5.7 8.0 8.4 9 10.6 11.8; do \
		case $$server in 1*) not='^$$' ;; *) not='$(NOT_WITH_MYSQL)' ;; esac; \
		export SQLVEIL_MYSQL_BIN=$(CURDIR)/.tools/mysql/$$server/bin; cat .tools/mysql/$$server/version; \
		go test -count=1 -timeout 30m -skip "$$not" ./proxy/myrelay && \
			go test -count=1 -timeout 30m -run 'Judged|Released|Snapshots|ServerFolds' ./rewrite/mysql || exit 1; \
	done
	@[ -z "$(SQLVEIL_TIDB)" ] || { cat .tools/mysql/tidb/version && \
		SQLVEIL_MYSQL_BIN=$(CURDIR)/.tools/mysql/tidb/bin go test -count=1 -timeout 30m -skip '$(NOT_WITH_TIDB)' ./proxy/myrelay; }

# Tests of what MariaDB alone has: EXECUTE IMMEDIATE, blocks outside of routines, KILL
# HARD, bulk execution, cached metadata; and of COM_PROCESS_INFO, which MySQL 9 has no more.
NOT_WITH_MYSQL = ^Test(ProcessInfo|BehindAStatement|ExecuteImmediate|SeveralResults|Kill|Bulk|CachedMetadata)$$

# Tests that fail with TiDB: of commands that it answers otherwise than MySQL does or not
# at all, of clients that leave, of a thousand columns and more.
NOT_WITH_TIDB = ^Test(ProcessInfo|CursorFails|ClientLeaves|WarningsAreWithheld|CommandWalk|MalformedCommands|CommandsInFile|CommandsInResult|ManyColumns)$$

canary:
	@.ci/install canary
	go run ./bench/canary -tasks $(CANARIES) -smith $(CANARIES) -twins $(CANARIES)

mycanary:
	@.ci/install test
	go run ./bench/mycanary -statements $(MYCANARIES)

soak:
	@.ci/install test
	go run ./bench/load -soak $(SOAKTIME)

audit-soak:
	@.ci/install test
	go test ./auditlog -run TestKilledProcess -v -kills $(KILLS) -timeout 60m
	go test ./proxy -run TestKilledProxy -v -proxykills $(KILLS) -timeout 170m
	go test ./auditlog/review -run TestSpeed -v -records $(RECORDS) -timeout 90m

clean:
	rm -rf bin .tools
