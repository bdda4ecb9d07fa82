# Every target sets up .venv first, so each works as the first command on a machine with Python and make.
# `make PYTHON=python3.12 test` chooses the Python of a new .venv. README tells how to get torch's CPU build.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
PEERS := .venv-peers

.DEFAULT_GOAL := help
.PHONY: help run test lint accuracy bench clean

help:
	@echo "make run       train configs/linear.yaml"
	@echo "make test      ruff, mypy and pytest"
	@echo "make lint      ruff and mypy"
	@echo "make accuracy  measure results against certified references, into docs/accuracy.md"
	@echo "make bench     measure the speed (a quarter of an hour; benchmarks/README.md tells of parts)"
	@echo "make clean     remove .venv and caches"

run: $(READY)
	$(BIN)/gdtrain run configs/linear.yaml

test: lint
	$(BIN)/pytest

lint: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

accuracy: $(READY)
	$(BIN)/python -m tests.certified

bench: $(READY) $(PEERS)/.ready
	$(BIN)/python -m benchmarks

clean:
	rm -rf .venv $(PEERS) .hypothesis .mypy_cache .pytest_cache .ruff_cache

# Stamped when all of it is installed: an interrupted set-up starts over, a changed list of packages is installed.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12")'
	test -x $(BIN)/pip || $(PYTHON) -m venv .venv
	$(BIN)/pip install --disable-pip-version-check --quiet -c constraints.txt -e '.[dev]'
	$(BIN)/python -m compileall -q gdtrain
	@touch $@

# What is measured against. A peer that cannot be installed is left out and tried again next time.
$(PEERS)/.ready: benchmarks/requirements-peers.txt
	test -x $(PEERS)/bin/pip || $(PYTHON) -m venv $(PEERS)
	@if $(PEERS)/bin/pip install --disable-pip-version-check --quiet -r $<; then touch $@; else \
		grep -v '^#' $< | while read -r peer; do \
			$(PEERS)/bin/pip install --disable-pip-version-check --quiet -c $< "$$peer" || echo "without $$peer"; \
		done; fi
