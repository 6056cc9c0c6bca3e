# mailwarden: `make demo` shows it, `make test` checks all of it. Both set up what they need.
# Nothing is installed outside this folder but Debian packages, and those only as root.

PYTHON  ?= python3
VENV    := .venv
BIN     := $(VENV)/bin
STAMP   := $(VENV)/.installed

.DEFAULT_GOAL := help

.PHONY: help
help: ## list what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: $(STAMP) ## a day of traffic with every attack in it, replayed and explained
	@$(BIN)/mailwarden demo

.PHONY: test
test: setup check ## everything: format, lint, types, architecture, all tests with real servers
	$(BIN)/python -m pytest -n 2 --dist loadgroup --cov --cov-report=term $(PYTEST)

.PHONY: test-quick
test-quick: $(STAMP) check ## without the real Kafka broker and the real mail servers
	@echo "test-quick leaves out the tests marked 'broker' (real Kafka) and 'servers' (real Postfix)"
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m "not broker and not servers" $(PYTEST)

.PHONY: check
check: $(STAMP) ## format, lint, types, and who imports whom
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

.PHONY: setup
setup: $(STAMP) debian jars ## the Python environment, Debian packages, Kafka's jars

# Every version is pinned with its hash, so nothing is left to resolve (--no-deps: an older pip takes
# the newest release of what is asked for with extras, which has no hash here). The project itself is
# installed in place.
$(STAMP): constraints-dev.txt pyproject.toml
	@echo "Setting up $(VENV) ..."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "mailwarden needs Python 3.11 or newer; $(PYTHON) is older"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) \
		|| { echo "try: apt-get install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes --no-deps -r constraints-dev.txt
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

.PHONY: debian
debian: ## the real mail servers that the tests run against (Debian packages, as root)
	@tools/debian-setup

.PHONY: bench
bench: setup ## measure speed beside the references; the tables are kept in load/results/
	$(BIN)/python -m load.bench
	$(BIN)/python -m load.bench_memory
	$(BIN)/python load/bench_latency.py
	$(BIN)/python -m load.bench_latency_kafka
	$(BIN)/python -m load.bench_worker
	$(BIN)/python -m load.bench_intake
	$(BIN)/python -m load.bench_formats
	$(BIN)/python -m load.bench_policy
	$(BIN)/python -m load.bench_auth_policy
	$(BIN)/python -m load.bench_lapi
	$(BIN)/python -m load.bench_nftables
	$(BIN)/python -m load.bench_edge
	$(BIN)/python -m load.bench_enforced
	$(BIN)/python -m load.bench_lookup
	$(BIN)/python -m load.bench_sinks
	$(BIN)/python -m load.goals

.PHONY: quality
quality: setup ## what is found, how early, and who is wronged; the tables are kept in load/results/
	$(BIN)/python -m load.quality

.PHONY: schemas
schemas: $(STAMP) ## write the JSON Schema of each topic anew
	$(BIN)/python -m schemas.json_schema

.PHONY: lock
lock: ## pin every dependency anew, with hashes
	$(BIN)/pip-compile -q --generate-hashes --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --strip-extras --allow-unsafe --extra chat --extra traces -o constraints.txt pyproject.toml
	$(BIN)/pip-compile -q --generate-hashes --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --strip-extras --allow-unsafe --extra chat --extra traces --extra dev -o constraints-dev.txt pyproject.toml

.PHONY: clean
clean: ## remove what was set up here, the broker's data included
	rm -rf $(VENV) .kafka .cache

include tools/kafka.mk
