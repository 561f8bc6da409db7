# `make run` and `make test` are all that a newcomer needs. Each does its own set-up, once.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

# The first of these that is installed and new enough. PYTHON=… names another.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo $$p; break; }; done)
# Whether Node is as new as `engines` in package.json demands.
NODE_GOOD := $(shell node -e 'const [a, b] = process.versions.node.split(".").map(Number); \
	process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' >/dev/null 2>&1 && command -v npm >/dev/null && echo yes)

VENV := .venv
BIN := $(VENV)/bin
UI := web/ui
# `--quiet` twice: pip would warn of every package that an additional private index lacks.
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --quiet --require-hashes

# The packages of the tests include those of the runtime, in the same versions.
RUNTIME := $(VENV)/.runtime
TESTS := $(VENV)/.tests
BENCH := $(VENV)/.bench
MODULES := $(UI)/node_modules/.installed
PAGES := $(UI)/dist/.built
CLIENTS := tests/web/clients
CLIENT_MODULES := $(CLIENTS)/node_modules/.installed
# The pages under /docs are made from the documents.
DOCUMENTS := $(shell find docs -name '*.md' -o -name '*.png') README.md CONTRIBUTING.md CHANGELOG.md
# The messages as functions, and the types of the graph and of the pages' operations.
GENERATED := $(UI)/generated/.made
PAGE_SOURCES := $(shell find $(UI)/src $(UI)/messages -type f) $(UI)/project.inlang/settings.json
UI_SOURCES := $(PAGE_SOURCES) $(shell find $(UI)/build -type f) $(wildcard $(UI)/*.config.ts) $(UI)/tsconfig.json $(DOCUMENTS)

# Workers, each with a PostgreSQL of its own: one more than this machine has processors up to four, since a worker often
# waits for a server or a browser. One that has finished its part takes tests from another.
WORKERS ?= $(shell n=$$(getconf _NPROCESSORS_ONLN); echo $$((n < 4 ? n + 1 : 5)))
PYTEST = $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

# The tests start some hundred processes, which would each compile the code anew without cached bytecode.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help
help: ## Show this list
	@echo 'make <target>:'
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-9s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

.PHONY: run
run: $(RUNTIME) pages-if-possible ## Set up what is missing, create the demo once, and serve it on port 8000
	@exec $(BIN)/python -m web serve --demo --simulate $(ARGS)

.PHONY: setup
setup: $(TESTS) $(PAGES) $(CLIENT_MODULES) ## Install all packages and build the pages of web/ui

.PHONY: test
test: setup browser check ## Run all that a change must pass: `check`, then the tests. ARGS=tests/web runs a part
	@$(PYTEST) $(ARGS)

.PHONY: test-fast
test-fast: setup check ## Run `check`, then the short unit tests on SQLite with one case each
	@$(PYTEST) --units -m 'not hypothesis and not exhaustive' --database sqlite --cases 1 $(ARGS)

# Each tool uses one processor, so they run side by side. They keep what they found in unchanged files.
CHECKS := check-style check-types check-pages check-rules
.PHONY: check $(CHECKS)
check: setup $(GENERATED) ## Check style and types of Python and of the pages
	@$(MAKE) -j $(words $(CHECKS)) $(CHECKS)

check-style:
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet . || { echo 'These files need `ruff format`.' >&2; exit 1; }

check-types:
	@$(BIN)/mypy

check-pages:
	@cd $(UI) && npm run --silent check:svelte

check-rules:
	@cd $(UI) && npm run --silent lint

.PHONY: prove
prove: WORKERS = 2
prove: setup browser ## Run the long proofs, several hours; the results go to docs/proofs/
	@HUHANG_PROVE=$$(git describe --always --dirty) $(PYTEST) --no-header $(ARGS) | tee docs/proofs/last-run.txt

.PHONY: bench
bench: $(BENCH) ## Measure speed, about two hours; the results go to bench/results/
	@$(BIN)/python -m bench.speed
	@$(BIN)/python -m bench.inside
	@$(BIN)/python -m bench.documents
	@$(BIN)/python -m bench.floods
	@$(BIN)/python -m bench.paging
	@$(BIN)/python -m bench.portraits
	@$(BIN)/python -m bench.portrait_writes
	@$(BIN)/python -m bench.map
	@$(BIN)/python -m bench.writes
	@$(BIN)/python -m bench.start
	@$(BIN)/python -m bench.memory
	@$(BIN)/python -m bench.fanout

.PHONY: docs
docs: setup ## Generate the documents and the schema file that come from the code
	@$(BIN)/python -m models.lifecycle_page > docs/reference/lifecycles.md
	@$(BIN)/python -m schema.permissions_page > docs/reference/rights.md
	@$(BIN)/python -m schema.reasons_page > docs/reference/errors.md
	@$(BIN)/python -m web schema > schema/schema.graphql

.PHONY: pictures
pictures: setup browser ## Take the pictures of the README and of the story, from the demo
	@$(BIN)/python -m tests.support.wall_pictures
	@$(BIN)/python -m tests.support.story_pictures

# Chinese sentences that the catalogue lacks are left empty there; a test names them.
.PHONY: messages
messages: setup ## Bring models/messages/zh.po in step with the reasons in the code
	@$(BIN)/pybabel -q extract -k '' -k 'Reason:1c,2' -k 'Message:1c,2' --ignore-dirs 'ui' --no-location --omit-header --sort-output \
		-o models/messages/all.pot models subscriptions resolvers schema web
	@$(BIN)/pybabel -q update -l zh -i models/messages/all.pot -o models/messages/zh.po --ignore-obsolete \
		--no-fuzzy-matching --omit-header -w 120
	@rm models/messages/all.pot

.PHONY: lock
lock: ## Update the lock files from pyproject.toml and package.json
	@$(need-python)
	@$(PYTHON) -m venv $(VENV)-lock
	@$(VENV)-lock/bin/python -m pip --disable-pip-version-check install --quiet --quiet pip-tools==7.6.2
	@$(COMPILE) --output-file requirements.lock pyproject.toml
	@$(COMPILE) --extra test --constraint requirements.lock --output-file requirements-test.lock pyproject.toml
	@$(COMPILE) --constraint requirements-test.lock --output-file bench/requirements.lock bench/requirements.in
	@rm -rf $(VENV)-lock
	@cd $(UI) && npm install --package-lock-only --silent
	@cd $(CLIENTS) && npm install --package-lock-only --silent

# Only the public index: the hash of a package from a private one could not be met elsewhere.
COMPILE := CUSTOM_COMPILE_COMMAND='make lock' PIP_CONFIG_FILE=/dev/null PIP_FIND_LINKS= PIP_EXTRA_INDEX_URL= \
	$(VENV)-lock/bin/pip-compile --quiet --upgrade --generate-hashes --allow-unsafe --strip-extras \
	--no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-emit-options

# The wheels are those of this machine's system and of its Python; packages without one are built here. The files are
# those that git knows, and the pages are those that were built.
BUNDLED := models subscriptions resolvers schema web deploy docs requirements.lock pyproject.toml README.md CONTRIBUTING.md \
	CHANGELOG.md LICENSE ':!web/ui'
.PHONY: bundle
bundle: $(RUNTIME) $(PAGES) ## Pack the code, the pages and all packages into var/huhang.tar.gz, for a machine without internet
	@rm -rf var/bundle && mkdir -p var/bundle/huhang/web/ui
	@git ls-files -z -- $(BUNDLED) | tar -c --null -T - | tar -x -C var/bundle/huhang
	@cp -R $(UI)/dist var/bundle/huhang/$(UI)/
	@$(BIN)/python -m pip --disable-pip-version-check --quiet --quiet wheel --require-hashes -r requirements.lock \
		--wheel-dir var/bundle/huhang/wheels
	@tar -czf var/huhang.tar.gz -C var/bundle huhang
	@rm -rf var/bundle
	@echo 'var/huhang.tar.gz: docs/guides/installation.md says how to install it'

.PHONY: clean
clean: ## Remove everything generated; the database in var/ stays
	@rm -rf $(VENV) $(VENV)-lock $(UI)/node_modules $(UI)/dist $(UI)/generated $(UI)/.svelte-check $(CLIENTS)/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: browser
browser: $(TESTS)
	@$(BIN)/python -m tests.support.browser

# The API does not need Node, so without it `make run` leaves out the pages.
.PHONY: pages-if-possible
ifdef NODE_GOOD
pages-if-possible: $(PAGES)
else
pages-if-possible:
	@echo 'Node 20.19 or later (with npm) was not found, so the pages are not built. The API runs without them.' >&2
endif

define need-python
[ -n '$(PYTHON)' ] || { echo 'Huhang needs Python 3.11 or later, and none was found. Set PYTHON=/path/to/python.' >&2; exit 1; }
$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo \
'$(PYTHON) cannot create virtual environments; on Debian the package python3-venv is missing.' >&2; exit 1; }
endef

define need-node
[ -n '$(NODE_GOOD)' ] || { echo 'The pages need Node 20.19 or later with npm, which was not found.' >&2; exit 1; }
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
	@echo 'Installing the packages for plots'
	@$(PIP) -r bench/requirements.lock
	@touch $@

$(MODULES): $(UI)/package.json $(UI)/package-lock.json
	@$(need-node)
	@echo 'Installing the packages of the pages'
	@cd $(UI) && npm ci --silent
	@touch $@

$(CLIENT_MODULES): $(CLIENTS)/package.json $(CLIENTS)/package-lock.json
	@$(need-node)
	@echo 'Installing the clients that the tests use'
	@cd $(CLIENTS) && npm ci --silent
	@touch $@

$(GENERATED): $(MODULES) $(PAGE_SOURCES) $(UI)/codegen.ts schema/schema.graphql
	@cd $(UI) && npm run --silent generate
	@touch $@

$(PAGES): $(MODULES) $(UI_SOURCES)
	@echo 'Building the pages'
	@cd $(UI) && npm run --silent build
	@touch $@
