# make demo    train on 5,000 handwritten digits for at most five minutes, and see the report
# make check   format, lint, types, layers and the quick tests: before each commit
# make test    everything that has to hold before a change is taken
#
# Each begins on a fresh machine that has Python 3.11 or newer: it makes .venv and installs into it.

PYTHON ?= python3
BIN := .venv/bin
DEMO := runs/demo
# One worker for each core and one thread for each worker. A file stays with one worker, which makes its fixtures once.
PYTEST := $(BIN)/python -m pytest --numprocesses auto --maxprocesses 8 --dist loadfile --no-loadscope-reorder

.PHONY: demo check test style clean

demo: .venv/installed
	$(BIN)/ganforge train digits --minutes 4 --run $(DEMO) --force
	$(BIN)/ganforge sample $(DEMO) -n 64 --out $(DEMO)/new-digits.png --force
	@echo
	@echo "Open this page in a browser:   $(CURDIR)/$(DEMO)/report.html"

check: style
	$(PYTEST) -m "not slow"

test: style
	$(PYTEST)

style: .venv/installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python tools/check_layers.py

clean:
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

# The stamps say which dependencies are in .venv; they are older than the files that name them when those change.
.venv/installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet -c constraints.txt -e .
	@touch $@

.venv/installed-dev: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	@touch $@ .venv/installed
