# A verb a line. `make demo` and `make test` set everything up themselves; `make` alone lists the verbs.
# Set-up is scripts/bootstrap.py; it needs python3 and the network once, and is a no-op while uv.lock is unchanged.
SHELL := /bin/sh
BIN := .venv/bin
# The embedded Postgres, run by root, calls useradd; `su` without a dash leaves sbin out of PATH.
export PATH := $(PATH):/usr/sbin:/sbin
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1
.DEFAULT_GOAL := help
.PHONY: help setup setup-dev demo up client test test-client test-deploy test-celery test-chart test-kill test-kill-clients test-kill-reports chaos check audit fmt bench bench-tenants faults screenshots client-screenshots client-template clean

help: ## list the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-17s %s\n", $$1, $$2 }' Makefile

demo: setup ## the whole story on this machine, with sandboxed vendors; ends with a table and links
	@$(BIN)/draggonnb demo

up: setup ## everything (database, API, Dagster, sandbox) until Ctrl-C
	@$(BIN)/draggonnb up

client: setup ## a client's app in the browser, over everything that it needs, until Ctrl-C; needs Node.js and npm
	@program=$$(python3 scripts/postgrest.py) && VENDOR_SANDBOX_POSTGREST="$$program" $(BIN)/draggonnb client

test: setup-dev ## all tests; narrow with ARGS, such as ARGS="tests/domain -k score"
	@$(BIN)/python -m pytest -n 3 --dist load --maxschedchunk 2 $(ARGS)

test-client: setup-dev ## the client's app: types, lint, units, build, and people in browsers; needs Node.js, npm, Chromium
	@command -v npm >/dev/null || { echo "there is no npm on PATH: install Node.js 20 or later" >&2; exit 1; }
	cd client_template && npm ci --ignore-scripts --prefer-offline --no-audit --no-fund
	cd client_template && npm run typecheck && npm run lint && npm test
	@$(BIN)/python -m pytest -m client tests/client tests/mcp_server $(ARGS)

test-deploy: setup-dev ## two releases installed, one upgraded while webhooks come in: none is lost; about four minutes
	@$(BIN)/python -m pytest -m deploy tests/deploy $(ARGS)

test-celery: setup-dev ## two warm workers on a real Redis, one of them killed: nothing lost or doubled; needs redis-server
	@$(BIN)/python -m pytest -m celery -p no:xdist -s tests/warm_workers/test_redis.py tests/stories/test_worker_kills.py $(ARGS)

test-chart: setup-dev ## the official Helm chart rendered with our values; needs uv and DRAGGONNB_DAGSTER_CHART; 350 MB
	uv sync --inexact --group dev --group chart
	@$(BIN)/python -m pytest -m chart tests/deploy/test_kubernetes.py $(ARGS)

test-kill: setup-dev ## the full kill test: 200 leads, 30 SIGKILLs, about six minutes
	@$(BIN)/python -m pytest -m kill -s tests/stories/test_lead_kills.py $(ARGS)

test-kill-clients: setup-dev ## kills around every call while 140 clients are set up and 76 are aborted; about six minutes
	@$(BIN)/python -m pytest -m kill -s tests/stories/test_provisioning_kills.py $(ARGS)

test-kill-reports: setup-dev ## kills around every call and commit while weeks are measured and reported; about four minutes
	@$(BIN)/python -m pytest -m kill -s tests/stories/test_report_kills.py $(ARGS)

chaos: setup-dev ## kills while 2,000 posts are published: publishers, Postgres, connections, clocks; about ten minutes
	@$(BIN)/python -m pytest -m kill -s tests/stories/test_publish_kills.py tests/stories/test_publish_run_kills.py $(ARGS)

check: setup-dev ## format, lint, types, direction of imports, dependencies
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/deptry .

audit: ## known vulnerabilities in what the lock files install; needs the network (OSV.dev, npm's registry) and npm
	@python3 scripts/audit.py

fmt: setup-dev ## format, and repair what lint can repair
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup-dev ## the benchmarks; tables on the screen, JSON beside them
	@$(BIN)/python -m benchmarks $(ARGS)

bench-tenants: setup-dev ## a day of N clients in fast motion, everything counted; N=1000 takes more than an hour
	@$(BIN)/python -m benchmarks tenants $(N)

faults: setup-dev ## faults injected into the running stack, and what it said of each; ARGS="--list", names, --write
	@$(BIN)/python -m faults $(ARGS)

screenshots: setup-dev ## pictures of the running UI for the documentation; ARGS=numbers for those of reports alone
	@$(BIN)/python scripts/screenshots.py $(ARGS)

client-screenshots: setup-dev ## pictures of a client's app for the documentation; needs Node.js, npm, Chromium
	@program=$$(python3 scripts/postgrest.py) && VENDOR_SANDBOX_POSTGREST="$$program" $(BIN)/python scripts/client_screenshots.py

client-template: ## bring the client template's migrations to ours
	@python3 scripts/sync_client_template.py

setup: ## install what demo and up need (they call it)
	@python3 scripts/bootstrap.py run

setup-dev: ## install the tools of test and check too (they call it)
	@python3 scripts/bootstrap.py dev

clean: ## remove the environment and tool caches; keeps .draggonnb, the data
	rm -rf .venv .tools .pytest_cache .ruff_cache .import_linter_cache
