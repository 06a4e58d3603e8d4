# Everything a developer or a user starts: `make lab`, `make test`, `make setup`, `make notebooks`.
# Needs Python 3.11 or newer and make; all else is installed into .venv.

PYTHON ?= python3
PORT ?=
ROOMS ?=
NO_BROWSER ?=
BIN := .venv/bin
LAB_READY := .venv/lab-ready
READY := .venv/ready
DEEP_READY := .venv/deep-ready
WITH_BROWSER = BROWSER_PATH="$$($(BIN)/python -m tests.helpers.browser)"
MEASURED := emulator sweep executors intervals history timelines pool findings enrich filters panel export growth
unexport PYTHONDONTWRITEBYTECODE  # else every kernel and command compiles pandas again
# As tests/helpers/scheduling.py distributes them; xdist can wait forever for a replaced worker.
SHARED_OUT := --numprocesses=2 --no-loadscope-reorder --max-worker-restart=0

.DEFAULT_GOAL := help
.PHONY: help setup setup-browser lab test test-deep coverage mutants bench notebooks pictures binder clean

help:
	@echo "make lab         explore the demo fleet in JupyterLab (PORT=8890 NO_BROWSER=1)"
	@echo "make test        lint, types, tests and notebooks"
	@echo "make test-deep   the slow tests, those that need a network or Java, and more examples"
	@echo "make coverage    which lines and branches make test runs"
	@echo "make mutants     change the code at 60 places a room: do tests notice? (ROOMS=pool)"
	@echo "make bench       measure what is claimed to be fast"
	@echo "make notebooks   run the notebooks again and store what they show"
	@echo "make pictures    take README's pictures again"
	@echo "make binder      pin again what Binder installs"
	@echo "make setup       install what developers need into .venv"
	@echo "make setup-browser find a Chromium or Chrome for the tests, or get one"
	@echo "make clean       remove what the others left behind, but not your copies in lab/"

# Three stamps: what the notebooks need, with it what developers need, and with that Spark.
# uv and pip show how far they are; pip may know a mirror that uv does not.
define INSTALL
  $(BIN)/uv pip install --python $(BIN)/python $(1) || { \
    echo "uv could not install it; pip tries."; \
    $(BIN)/python -m pip install --no-compile $(1); }
endef

setup: $(DEEP_READY)

$(LAB_READY): pyproject.toml
	@echo "Installing JupyterLab and what the notebooks need into .venv, about 650 MB."
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; name it: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --disable-pip-version-check --no-compile --upgrade pip uv
	@$(BIN)/python -m pip uninstall --quiet --quiet --yes setuptools  # 10 MB that Python 3.11 brings, unused
	@$(call INSTALL,--editable '.[all]')
	@touch $@

$(READY): $(LAB_READY)
	@echo "Installing what developers need into .venv: Node, a browser's driver and more, about 750 MB."
	@$(call INSTALL,--editable '.[all]' --group dev)
	@touch $@

# pip keeps the wheel that it builds, 480 MB; uv may download its source twice, at each installation.
$(DEEP_READY): $(READY)
	@echo "Installing Spark into .venv, about 500 MB."
	@$(BIN)/python -m pip install --disable-pip-version-check --no-compile --group deep
	@touch $@

lab: $(LAB_READY)
	@$(BIN)/fastlaunch-nb lab $(if $(PORT),--port $(PORT)) $(if $(NO_BROWSER),--no-browser)

setup-browser: $(READY)
	@$(BIN)/python -m tests.helpers.browser

test: $(READY) setup-browser
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(WITH_BROWSER) $(BIN)/python -m pytest $(SHARED_OUT) -m "not deep"

test-deep: $(DEEP_READY) setup-browser
	$(WITH_BROWSER) $(BIN)/python -m pytest $(SHARED_OUT) -m "deep or hypothesis" --hypothesis-profile=deep

coverage: $(READY) setup-browser
	$(WITH_BROWSER) $(BIN)/coverage run -m pytest $(SHARED_OUT) -m "not deep"
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

mutants: $(READY)
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --group mutants || \
	  $(BIN)/python -m pip install --quiet --group mutants
	$(BIN)/python -m tests.helpers.mutants $(ROOMS)

bench: $(READY)
	@for name in $(MEASURED); do $(BIN)/python -m benchmarks.$$name || exit; echo; done

notebooks: setup-browser
	$(WITH_BROWSER) $(BIN)/python notebooks/store.py notebooks/*.ipynb

pictures: setup-browser
	$(WITH_BROWSER) $(BIN)/python -m tests.helpers.pictures

binder: $(READY)
	@head -1 binder/requirements.txt > binder/new
	@echo notebook | $(BIN)/uv pip compile - pyproject.toml --quiet --extra demo --extra lab --extra image \
	  --python-version 3.11 --python-platform linux --no-annotate --no-header >> binder/new
	@echo ./ >> binder/new && mv binder/new binder/requirements.txt

clean:
	rm -rf .venv .coverage* .hypothesis .mypy_cache .pytest_cache .ruff_cache dist notebooks/reports
	find fastlaunch_nb tests notebooks -name __pycache__ -prune -exec rm -rf {} +
