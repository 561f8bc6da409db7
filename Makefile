# Everything a newcomer types is `make run` and `make test`; each does its own set-up, and a second call finds it done.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

# The first of these that runs and is new enough. PYTHON=… names another.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo $$p; break; }; done)
# As package.json has it in `engines`.
NODE_GOOD := $(shell node -e 'const [a, b] = process.versions.node.split(".").map(Number); \
	process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' >/dev/null 2>&1 && command -v npm >/dev/null && echo yes)

VENV := .venv
BIN := $(VENV)/bin
UI := web/ui
# Twice quiet: it warns of every package that a further index of somebody's own lacks.
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --quiet --require-hashes

# The packages of the tests hold those of the runtime, in the same versions; whoever has the former has the latter.
RUNTIME := $(VENV)/.runtime
TESTS := $(VENV)/.tests
BENCH := $(VENV)/.bench
MODULES := $(UI)/node_modules/.installed
PAGES := $(UI)/dist/.built
CLIENTS := tests/web/clients
CLIENT_MODULES := $(CLIENTS)/node_modules/.installed
UI_SOURCES := $(shell find $(UI)/src -type f) $(wildcard $(UI)/*.config.ts) $(UI)/tsconfig.json

# Two workers, each with a PostgreSQL of its own. A worker that has finished its half takes tests from the other.
PYTEST := $(BIN)/python -m pytest -n 2 --dist worksteal

# The tests start some hundred processes, which would each compile the code anew without cached bytecode.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help
help: ## This list
	@echo 'make <target>:'
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-9s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

.PHONY: run
run: $(RUNTIME) pages-if-possible ## Set up what is missing, make the demo once, and serve it on port 8000
	@exec $(BIN)/python -m web serve --demo --simulate $(ARGS)

.PHONY: setup
setup: $(TESTS) $(PAGES) $(CLIENT_MODULES) ## What `run` and `test` need: packages, and the pages of web/ui

.PHONY: test
test: setup browser check ## All that a change must pass: `check`, then the tests. ARGS=tests/web runs a part of them
	@$(PYTEST) $(ARGS)

.PHONY: test-fast
test-fast: setup check ## In under a minute: `check`, then the unit tests on SQLite. ARGS=… chooses among them
	@$(PYTEST) -m unit --database sqlite $(ARGS)

.PHONY: check
check: setup ## Style and types, of Python and of the pages
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet . || { echo 'Not in the form that `ruff format` gives (above).' >&2; exit 1; }
	@$(BIN)/mypy
	@cd $(UI) && npm run --silent check

.PHONY: prove
prove: setup browser ## The long proofs, some hours; the results go to docs/proofs/
	@HUHANG_PROVE=$$(git describe --always --dirty) $(PYTEST) --no-header $(ARGS) | tee docs/proofs/last-run.txt

.PHONY: bench
bench: $(BENCH) ## Measure, some two hours; the results go to bench/results/
	@$(BIN)/python -m bench.speed
	@$(BIN)/python -m bench.inside
	@$(BIN)/python -m bench.paging
	@$(BIN)/python -m bench.portraits
	@$(BIN)/python -m bench.fanout

.PHONY: docs
docs: setup ## Write anew what documents and the schema's file have from the code
	@$(BIN)/python -m models.lifecycle_page > docs/reference/lifecycles.md
	@$(BIN)/python -m schema.permissions_page > docs/reference/rights.md
	@$(BIN)/python -m web schema > schema/schema.graphql

.PHONY: lock
lock: ## Make the lock files anew from pyproject.toml and package.json
	@$(need-python)
	@$(PYTHON) -m venv $(VENV)-lock
	@$(VENV)-lock/bin/python -m pip --disable-pip-version-check install --quiet --quiet pip-tools==7.6.2
	@$(COMPILE) --output-file requirements.lock pyproject.toml
	@$(COMPILE) --extra test --constraint requirements.lock --output-file requirements-test.lock pyproject.toml
	@$(COMPILE) --constraint requirements-test.lock --output-file bench/requirements.lock bench/requirements.in
	@rm -rf $(VENV)-lock
	@cd $(UI) && npm install --package-lock-only --silent
	@cd $(CLIENTS) && npm install --package-lock-only --silent

# A package from a folder or an index of this machine's own would put a hash into the lock that nobody else can meet.
COMPILE := CUSTOM_COMPILE_COMMAND='make lock' PIP_CONFIG_FILE=/dev/null PIP_FIND_LINKS= PIP_EXTRA_INDEX_URL= \
	$(VENV)-lock/bin/pip-compile --quiet --upgrade --generate-hashes --allow-unsafe --strip-extras \
	--no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-emit-options

.PHONY: clean
clean: ## Remove what can be made again; the database in var/ stays
	@rm -rf $(VENV) $(VENV)-lock $(UI)/node_modules $(UI)/dist $(CLIENTS)/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: browser
browser: $(TESTS)
	@$(BIN)/python -m tests.support.browser

# The API needs no Node, so `make run` does without the pages where there is none.
.PHONY: pages-if-possible
ifdef NODE_GOOD
pages-if-possible: $(PAGES)
else
pages-if-possible:
	@echo 'Node 20.19 or later (with npm) was not found, so GraphiQL is not built. The API is served all the same.' >&2
endif

define need-python
[ -n '$(PYTHON)' ] || { echo 'Huhang needs Python 3.11 or later; none was found. PYTHON=/path/to/python names one.' >&2; exit 1; }
$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo \
'$(PYTHON) cannot make virtual environments; on Debian the package python3-venv is missing.' >&2; exit 1; }
endef

define need-node
[ -n '$(NODE_GOOD)' ] || { echo 'The pages need Node 20.19 or later, with npm; it was not found.' >&2; exit 1; }
endef

$(BIN)/python:
	@$(need-python)
	@$(PYTHON) -m venv $(VENV)

$(RUNTIME): requirements.lock | $(BIN)/python
	@echo 'Installing the packages of the server'
	@$(PIP) -r requirements.lock
	@touch $@

$(TESTS): requirements.lock requirements-test.lock | $(BIN)/python
	@echo 'Installing the packages of the server and of the tests'
	@$(PIP) -r requirements-test.lock
	@touch $(RUNTIME) $@

$(BENCH): bench/requirements.lock | $(TESTS)
	@echo 'Installing the packages of the plots'
	@$(PIP) -r bench/requirements.lock
	@touch $@

$(MODULES): $(UI)/package.json $(UI)/package-lock.json
	@$(need-node)
	@echo 'Installing the packages of the pages'
	@cd $(UI) && npm ci --silent
	@touch $@

$(CLIENT_MODULES): $(CLIENTS)/package.json $(CLIENTS)/package-lock.json
	@$(need-node)
	@echo 'Installing the clients that the tests speak with'
	@cd $(CLIENTS) && npm ci --silent
	@touch $@

$(PAGES): $(MODULES) $(UI_SOURCES)
	@echo 'Building the pages'
	@cd $(UI) && npm run --silent build -- --logLevel warn
	@touch $@
