# Everything a person or CI does with this checkout. `make` alone lists the targets.
PYTHON ?= python3
UV := $(shell command -v uv 2>/dev/null || echo .tools/bin/uv)
BIN := .venv/bin

.PHONY: help install demo test lint bench dashboards lock clean
help: ## List the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

install: .venv/.installed ## Install the locked environment into .venv

.tools/bin/uv:
	$(PYTHON) -m venv .tools
	.tools/bin/pip install --quiet --require-hashes -r requirements-uv.lock

.venv/.installed: requirements-dev.lock pyproject.toml | $(filter .tools/bin/uv,$(UV))
	test -x $(BIN)/python || $(UV) venv --quiet --python "$(PYTHON)" .venv
	$(UV) pip sync --quiet --require-hashes --python $(BIN)/python requirements-dev.lock
	$(UV) pip install --quiet --no-deps --no-build-isolation --python $(BIN)/python -e .
	touch $@

demo: install ## Run the whole system here; ONCE=1 stops when all is green
	$(BIN)/esus demo $(if $(ONCE),--once)

test: install ## Run all tests
	$(BIN)/pytest $(ARGS)

lint: install ## Format check, lint, types, Dagster definitions
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -W ignore -m dagster definitions validate -w workspace.yaml --log-level warning
	$(BIN)/dg check defs

bench: install ## Measure, print one table, write build/bench.json
	$(BIN)/python -W ignore -m esus_pipeline_tests.bench $(ARGS)

lock: .venv/.installed ## Resolve the dependencies anew
	$(UV) pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url --upgrade pyproject.toml -o requirements.lock
	$(UV) pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url --upgrade --extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock
	$(UV) pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url --upgrade --extra energyplus -c requirements.lock pyproject.toml -o requirements-energyplus.lock

dashboards: install ## Write Grafana's dashboards from their source
	$(BIN)/python -m grafana.source

clean: ## Remove what the targets made, the demo's data included
	rm -rf .venv .tools .esus build
