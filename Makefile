# From a bare machine with Python 3.11 to 3.13, make, and either internet or Go:
#
#   make quickstart   set up, then one whole labeling round on the real servers
#   make test         set up, then every check and test (WORKERS=1 for one after the other)
#   make check        the inner loop: format, lint, types, core tests; under a minute
#   make docs         write docs/reference anew from the code
#   make chaos        kill ops and its servers a thousand times, and say what became of it (hours)
#   make bench        time the verbs against bare requests, DVC, boto3, pandas, a converter and others
#   make setup        .venv as uv.lock says (PYTHON=/path/to/python to choose one)
#   make clean        remove what can be made again; labels and data in .ops/ stay

.PHONY: quickstart test check chaos bench docs setup lint clean
.DEFAULT_GOAL := check

BIN := .venv/bin
WORKERS ?= auto
STAMP := .venv/.in-step

quickstart: setup
	$(BIN)/ops quickstart

# Side by side: each worker has servers of its own. Files stay whole, in their order, so that a long
# one does not begin last.
test: lint
	$(BIN)/pytest --numprocesses=$(WORKERS) --maxprocesses=4 --dist=loadfile --no-loadscope-reorder

check: lint
	$(BIN)/pytest tests/core

chaos: setup
	$(BIN)/python -m tests.chaos

docs: setup
	$(BIN)/python -m tools.generate_reference

# DVC gets an environment of its own: it is a baseline, not a dependency.
bench: setup
	@[ -x .ops/bench/dvc/bin/dvc ] || { $(BIN)/python -m venv .ops/bench/dvc \
	  && .ops/bench/dvc/bin/pip install --quiet dvc==3.67.1; }
	$(BIN)/python -m bench.sync
	$(BIN)/python -m bench.diff
	$(BIN)/python -m bench.merge
	$(BIN)/python -m bench.query
	$(BIN)/python -m bench.select
	$(BIN)/python -m bench.export
	$(BIN)/python -m bench.pull
	$(BIN)/python -m bench.profile
	$(BIN)/python -m bench.duplicates

lint: setup
	$(BIN)/ruff format --check --quiet
	$(BIN)/ruff check --quiet
	$(BIN)/pyright

setup: $(STAMP)

$(STAMP): pyproject.toml uv.lock tools/set-up
	tools/set-up
	@touch $@

# Servers that run from .venv are stopped before it goes; a broken .venv must not keep it.
clean:
	@if [ -x $(BIN)/ops ]; then $(BIN)/ops local down --quiet || true; fi
	rm -rf .venv .venv-tools .pytest_cache .ruff_cache .hypothesis dist
	find . -name __pycache__ -type d -not -path './.ops/*' -prune -exec rm -rf {} +
