# Parley's commands. Each does its own set-up through `setup`, which does nothing when it is done.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# The bundled base, which the demo and the tests use, and every home that has no other (PARLEY_BASE).
BASE := smollm2-135m
# Parley itself finds its folders (PARLEY_HOME, PARLEY_BASES, .env): their names may hold what make cannot spell.
HAS_BASE = import sys; from data.home import bases_dir; \
  sys.exit(not (bases_dir() / "$(BASE)" / "hf" / "config.json").is_file())

# With it set, each of the many processes that tests start would compile all sources anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup tools base converter demo run test-unit test test-all test-vllm lint types

help: ## show these lines
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-9s %s\n", $$1, $$2}'

setup: $(VENV)/ready base ## make the virtual environment, install what Parley needs, fetch the base model

# On a terminal pip shows its own progress; elsewhere its hundreds of lines would only hide what went wrong.
INSTALL = $(BIN)/python -m pip install $$(test -t 1 || echo --quiet) --disable-pip-version-check -c constraints.txt

$(VENV)/ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; \
	  sys.exit(v < (3, 11) and f"Parley needs Python 3.11 or newer; $(PYTHON) is {v[0]}.{v[1]}. Try: make PYTHON=python3.11 ...")'
	@echo "Set-up 1 of 3: the virtual environment in $(VENV)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Set-up 2 of 3: about 100 pinned packages (2 GB on disk; some minutes the first time)"
	@$(INSTALL) -e '.[bot,train]'
	@touch $@

base: | $(VENV)/ready
	@$(BIN)/python -c '$(HAS_BASE)' || { echo "Set-up 3 of 3: the base model (93 MB to fetch, 0.7 GB on disk)"; \
	  $(BIN)/python -m data fetch $(BASE) && $(BIN)/python -m alignment.models $(BASE); }

# The tests and checks do this themselves; `make demo` and `make run` do without.
tools: $(VENV)/ready-tools ## install the development tools too: pytest, ruff, mypy and the like

$(VENV)/ready-tools: $(VENV)/ready
	@echo "Installing the development tools (0.15 GB)"
	@$(INSTALL) -e '.[bot,train,dev]'
	@touch $@

# Tests have no network, so the converter of bases is fetched before them; `alignment.bases add` fetches it itself.
converter: setup
	@$(BIN)/python -m alignment.conversion.converter >/dev/null

demo: setup ## show the whole loop: import, train, evaluate, release, compare (DEMO=short for a quick look)
	@$(BIN)/python -m alignment.demo $(DEMO)

run: setup ## start the bot: on Discord with DISCORD_TOKEN set, else as a chat in this terminal; and its web page
	@$(BIN)/python -m bot --page

# The rings of tests; tests/conftest.py says which test is in which. At most 8 processes, since each may hold torch.
PYTEST = $(BIN)/python -m pytest -n auto --maxprocesses 8
WITHOUT_TORCH = @$(PYTEST) --dist worksteal --ring unit
# With torch, the tests of a file run in one process: they share what the file has trained.
WITH_TORCH = @$(PYTEST) --dist loadfile --no-loadscope-reorder --ring tiny

test-unit: setup tools ## run the quick tests: no torch, no process of their own, no played Discord server
	$(WITHOUT_TORCH)

test: setup tools converter ## run these, and the tests that play a Discord server or use tiny random models
	$(WITHOUT_TORCH) --ring played
	$(WITH_TORCH)

test-all: setup tools converter ## run all tests: also whole processes, long simulations and the real base model
	$(WITHOUT_TORCH) --ring played
	$(WITH_TORCH) --ring whole --ring base

# vLLM has an environment of its own: it pins another torch.
test-vllm: setup tools ## run releases on a real vLLM (installs 3.5 GB into .venv-vllm once)
	@PYTHON=$(PYTHON) tests/vllm/install.sh .venv-vllm
	@VLLM=$(CURDIR)/.venv-vllm/bin/vllm $(BIN)/python -m pytest -p no:randomly -rs -s tests/vllm

lint: setup tools ## check style and formatting
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: setup tools ## check types
	@$(BIN)/mypy
