# Python 3.11 or newer (with venv), make and the package index are all that is needed.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
SAMPLE := samples/dn42
ARGS ?=

.NOTPARALLEL:

# `$(call not-ready,COMMAND)` succeeds when the command's exit code is 1: assessed, and the gate is not met.
not-ready = code=0; $(1) || code=$$?; test "$$code" -eq 1 || { echo "expected exit code 1, got $$code" >&2; exit 1; }

.PHONY: help setup demo test spark spark-full lint types imports wheel docs docs-check samples screenshots golden bench bench-memory bench-events bench-report bench-fleet fuzz check clean
.DEFAULT_GOAL := help

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-13s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

# ---------------------------------------------------------------------------------------------------- environments

.venv/demo.stamp: pyproject.toml
	@$(MAKE) --no-print-directory .python
	$(PYTHON) -m venv .venv
	$(PIP) install --editable .
	@touch $@

.venv/dev.stamp: pyproject.toml
	@$(MAKE) --no-print-directory .python
	$(PYTHON) -m venv .venv
	$(PIP) install --editable '.[dev,samples]'
	@touch .venv/demo.stamp $@

.venv/spark.stamp: .venv/dev.stamp
	$(PIP) install --editable '.[dev,samples,spark]'
	@touch $@

.PHONY: .python
.python:
	@command -v $(PYTHON) >/dev/null \
		|| { echo "psf-audit needs Python 3.11 or newer; there is no $(PYTHON). Try: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "psf-audit needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1). Try: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
		|| { echo "$(PYTHON) comes without venv; install it (on Debian and Ubuntu: the package python3-venv)" >&2; exit 1; }

setup: .venv/dev.stamp ## make .venv with everything development needs

# ------------------------------------------------------------------------------------------------------------- use

demo: .venv/demo.stamp ## assess the sample of the dn42 incident (not ready: its exit code 1 is the expected one)
	@$(BIN)/psf-audit --version
	@$(call not-ready,$(BIN)/psf-audit assess $(SAMPLE)/manifest.yaml)

# ----------------------------------------------------------------------------------------------------------- gates

test: .venv/dev.stamp ## run the tests with branch coverage (ARGS="-k name" for some of them)
	@sh tools/chromium.sh || true
	$(BIN)/python -m coverage erase
	$(BIN)/python -m coverage run -m pytest --numprocesses auto $(ARGS)
	@$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report $(if $(ARGS),--fail-under=0)

spark: .venv/dev.stamp ## the engine spark against DuckDB, in a Spark on this machine (installs pyspark, and Java where it may)
	@if sh tools/java.sh; then $(MAKE) --no-print-directory .spark; fi

spark-full: ## the same on every version of each rubric and a million events, which takes long
	@$(MAKE) --no-print-directory spark ARGS="--spark-full $(ARGS)"

.PHONY: .spark
# A Spark for small logs does not optimise what long ones need: the long log has a process of its own.
.spark: .venv/spark.stamp
	$(BIN)/python -m pytest --spark tests/engine/test_spark_engine.py tests/engine/test_spark_answers.py $(ARGS)
	$(BIN)/python -m pytest --spark tests/engine/test_spark_long_log.py $(ARGS)

lint: .venv/dev.stamp ## ruff: rules and format
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .

types: .venv/dev.stamp ## mypy, strict
	$(BIN)/python -m mypy

imports: .venv/dev.stamp ## import-linter: layers, independent plugins, pure modules
	$(BIN)/lint-imports --no-logo

wheel: .venv/dev.stamp ## build sdist and wheel, and assess the sample with the wheel alone
	rm -rf dist
	$(BIN)/python -m build --outdir dist .
	@set -e; tmp=$$(mktemp -d); trap 'rm -rf "$$tmp"' EXIT; \
	$(PYTHON) -m venv "$$tmp/venv"; \
	"$$tmp/venv/bin/python" -m pip --disable-pip-version-check --quiet install dist/*.whl; \
	cp -R $(SAMPLE) "$$tmp/sample"; cd "$$tmp"; \
	venv/bin/psf-audit --version; \
	$(call not-ready,venv/bin/psf-audit assess sample/manifest.yaml); \
	echo "the wheel works outside the checkout"

docs-check: .venv/dev.stamp ## fail if the generated parts of the documentation are stale
	$(BIN)/python tools/docs.py --check

check: test lint types imports wheel docs-check spark ## everything CI runs

# ------------------------------------------------------------------------------------------------------ regenerate

docs: .venv/dev.stamp ## write the generated parts of the documentation again
	$(BIN)/python tools/docs.py --write

samples: .venv/dev.stamp ## run the guarded sample agent again, to produce its evidence
	$(BIN)/python samples/guarded/produce.py

screenshots: .venv/dev.stamp ## take the pictures of docs/report.md again, in Chromium
	$(BIN)/python -m tools.report_page screenshots

golden: .venv/dev.stamp ## rewrite the golden files; read the diff before you commit it
	$(BIN)/python -m pytest --update-golden $(ARGS)

bench: .venv/dev.stamp ## start-up and assessment times, as ratios to bare Python
	$(BIN)/python tools/bench.py $(ARGS)

bench-memory: .venv/dev.stamp ## the memory that a log of 200 MB takes, for each format that streams (ARGS="NAME ..." for some)
	$(BIN)/python tools/bench_memory.py $(ARGS)

bench-events: .venv/dev.stamp ## time and memory of large logs, beside others that do the same (ARGS="20" for 20 million events; default 0.2 2)
	$(BIN)/python tools/bench_events.py $(ARGS)

bench-report: .venv/dev.stamp ## size of the HTML report, and how fast Chromium opens it
	$(BIN)/python -m tools.report_page bench $(ARGS)

bench-fleet: .venv/dev.stamp ## time and memory of fleets, and what is left of one that is killed (ARGS="100" for 100 deployments; default 100 1000)
	$(BIN)/python tools/bench_fleet.py $(ARGS)

fuzz: .venv/dev.stamp ## damage every fixture of every format in many more ways, up to an hour (ARGS="-k name" for some of them)
	$(BIN)/python -m pytest --hypothesis-profile=fuzz tests/evidence/test_every_format.py tests/test_secrets.py $(ARGS)

clean: ## remove .venv, builds and caches
	rm -rf .venv build dist htmlcov .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
