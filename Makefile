# The commands of this checkout; `make help` lists them. Each sets up first what it needs (.ci/setup.py).
PYTHON ?= python3
BIN := .venv/bin
B ?= judging
NO_PYTHON := Tiebreak needs Python 3.11 or newer. On Debian or Ubuntu: apt install python3 python3-venv
SET_UP := command -v $(PYTHON) >/dev/null || { echo "$(NO_PYTHON)"; exit 1; }; $(PYTHON) .ci/setup.py

.PHONY: help run demo test test-slow lint words bench parity clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# Tied to this make: should it be killed, what it started stops as well.
run: ## set up on first use and start everything here: make run [PORT=8000] [TIEBREAK_HOME=folder] [TORCH=cpu]
	@$(SET_UP)
	@exec $(BIN)/python -I -S app/tied.py $$PPID 15 - $(BIN)/tiebreak up

demo: ## the whole sentence unattended, with what was measured at the end
	@$(SET_UP)
	@$(BIN)/tiebreak demo

test: lint ## the checks of every change
	@$(BIN)/pytest -m "not slow"

test-slow: ## the heavy ones
	@$(SET_UP) dev
	@$(BIN)/pytest -m slow

lint:
	@$(SET_UP) dev
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy

words: ## bring the catalogues of locale/ up to date and list what is left to translate
	@$(SET_UP) dev
	@$(BIN)/python .ci/words.py

bench: ## both sides of a comparison, measured in one run: make bench B=judging
	@$(SET_UP) dev
	@$(BIN)/python -m benchmarks.$(B)

parity: ## our losses and gradients against TRL's, whose numbers are written down anew
	@$(SET_UP) parity
	@$(BIN)/python -m benchmarks.parity

clean: ## forget what was set up; data stays
	rm -rf .venv static/vendor *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
