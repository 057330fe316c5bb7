# `make run` does the main job, `make test` passes the tests, those that take long apart; each makes the environment first.
# `make run SIZE=` and `make run SIZE=--full` make more runs, and narrower intervals.
# With PYTHON=some/bin/python both use what is installed there, and install nothing.

VENV := .venv
PYTHON := $(VENV)/bin/python
PYTEST = $(PYTHON) -m pytest
FRAMEWORKS_PYTEST = $(or $(FRAMEWORKS_PYTHON),$(PYTHON)) -m pytest
# By name: in an editable installation each lies in a folder of its own, and `dissonance` is found in one of them only.
ROOMS := cli experiments faults harness patterns plugin pytest_plugin reports
PARALLEL := --numprocesses auto --dist loadgroup
BIN = $(dir $(PYTHON))
OUT := dissonance-report
SIZE := --quick

# Of the interpreters on this machine, the first of a version that the tests pass with.
BASE_PYTHON = $(shell for python in python3.11 python3.12 python3 python; do \
	$$python -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' 2>/dev/null && echo $$python && break; done)
UV = $(shell uv pip install --help 2>/dev/null | grep -q -e --group && echo uv)

# What experiments broke is what they are for: their exit codes 1 and 3 (see README) are no failure of make's.
REPORTED = || { code=$$?; [ $$code -eq 1 ] || [ $$code -eq 3 ] || exit $$code; }

ifeq ($(origin PYTHON),file)
READY := $(VENV)/.installed
FRAMEWORKS := .venv-frameworks/.installed
FRAMEWORKS_PYTHON := .venv-frameworks/bin/python
endif

.PHONY: run test test-slow test-frameworks lint bench sample
.DEFAULT_GOAL := run

run: $(READY)
	@$(BIN)dissonance run $(SIZE) --out "$(OUT)" $(REPORTED)
	@echo "Open the report: $(abspath $(OUT))/index.html"

# Doctests of modules that need a framework are skipped where it is not installed.
test: $(READY)
	$(PYTEST) tests -m "not slow" $(PARALLEL)
	$(PYTEST) --doctest-modules --doctest-ignore-import-errors --pyargs $(ROOMS:%=dissonance.%)

# Kills, thousands of repetitions, whole experiments, engines, a browser.
test-slow: $(READY)
	$(PYTEST) tests -m slow $(PARALLEL)

# LangGraph, CrewAI and AutoGen take a gigabyte: they have an environment of their own.
test-frameworks: $(FRAMEWORKS)
	$(FRAMEWORKS_PYTEST) tests/frameworks $(PARALLEL)

lint: $(READY)
	$(BIN)ruff check .
	$(BIN)ruff format --check .
	$(BIN)mypy
	$(BIN)lint-imports

# The committed report: small, without the runs and tables that lie beside a real one.
sample: $(READY)
	@$(BIN)dissonance run --quick --out dissonance-report $(REPORTED)
	@mkdir -p reports/sample
	@cp dissonance-report/index.html dissonance-report/report.json dissonance-report/report.md reports/sample/
	@cp dissonance-report/figures/loop-control-matrix.png reports/sample/

bench: $(READY)
	$(PYTHON) -m benchmarks

$(VENV)/.installed: pyproject.toml
	@echo "Installing into $(VENV), once: about a minute."
ifeq ($(UV),uv)
	@uv venv --quiet --allow-existing $(VENV)
	@uv pip install --quiet --python $(VENV)/bin/python --editable . --group dev
else
	@test -n "$(BASE_PYTHON)" || { echo "error: Python 3.11 or 3.12 is needed, and none is on the PATH" >&2; exit 1; }
	@$(BASE_PYTHON) -m venv $(VENV)
	@$(VENV)/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	@$(VENV)/bin/python -m pip install --quiet --editable . --group dev
endif
	@touch $@

.venv-frameworks/.installed: pyproject.toml
	@echo "Installing the frameworks into .venv-frameworks, once: some minutes."
ifeq ($(UV),uv)
	@uv venv --quiet --allow-existing .venv-frameworks
	@uv pip install --quiet --compile-bytecode --python .venv-frameworks/bin/python --editable '.[frameworks]' --group dev
else
	@test -n "$(BASE_PYTHON)" || { echo "error: Python 3.11 or 3.12 is needed, and none is on the PATH" >&2; exit 1; }
	@$(BASE_PYTHON) -m venv .venv-frameworks
	@.venv-frameworks/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	@.venv-frameworks/bin/python -m pip install --quiet --compile --editable '.[frameworks]' --group dev
endif
	@touch $@
