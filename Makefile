# make hpo MODEL=psann BUDGET=2M     builds .venv if it is missing, runs or resumes the study
# make test                          builds the same .venv with the test tools, runs the tests

SHELL := /bin/sh
.DEFAULT_GOAL := help
# Any Python from 3.11 on; PYTHON=/path/to/python chooses one.
PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.13 python3.14; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

# Every variable of make's command line goes to hpo as NAME=value, whatever its value holds; hpo says which there
# are. The environment does not count: an unrelated MODEL there is not meant.
quote = '$(subst ','\'',$(1))'
given = $(foreach name,$(.VARIABLES),$(if $(filter command line,$(origin $(name))),$(name)))
forward = $(foreach name,$(filter-out PYTHON EXTRAS SHELL MAKE%,$(given)),$(call quote,$(name)=$(value $(name))))
HPO = @$(BIN)/python -m hpo.cli.make
more = $(if $(filter ARGS,$(given)),$(ARGS))

.PHONY: help hpo test check lint typecheck test-slow test-parity chaos summary dashboard bench wheel-check clean install install-test

help: ## Show the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

hpo: .venv/installed ## Run or resume a study: make hpo MODEL=psann BUDGET=2M (DRY_RUN=1 shows the plan)
	$(HPO) run $(forward)

summary: .venv/installed ## Write a study's summary again: make summary EXPERIMENT=sp500_psann_h1_2M
	$(HPO) summary $(forward)

dashboard: .venv/installed ## Browse all studies on http://127.0.0.1:8080
	$(HPO) dashboard $(forward)

test: .venv/installed-test ## Run the tests, but for the slow ones, on up to four cores
	@$(BIN)/python -m pytest -m "not slow and not benchmark and not chaos" \
		--numprocesses auto --maxprocesses 4 --dist loadgroup $(more)

test-slow: .venv/installed-test ## Run the slow tests
	@$(BIN)/python -m pytest -m slow

# neuralforecast brings ray and lightning along: it has an environment of its own.
test-parity: build/parity/installed ## Compare PatchTST, iTransformer and Informer with neuralforecast's
	@PYTHONPATH=. build/parity/bin/python -m pytest --confcutdir=tests/parity tests/parity

build/parity/installed: tests/parity/requirements.txt constraints.txt
	@test -x build/parity/bin/python || $(PYTHON) -m venv build/parity
	@build/parity/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt \
		--requirement tests/parity/requirements.txt
	@touch $@

chaos: .venv/installed-test ## Kill it, fill its disk, tear its files: about an hour
	@$(BIN)/python -m pytest -s -m "not benchmark" tests/chaos $(more)

bench: .venv/installed-test ## Run the benchmarks
	@$(BIN)/python -m pytest -m benchmark -s tests/benchmarks

lint: .venv/installed-test
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

# mypy does not know of the path hook in hpo/__init__.py: show it the tree as it is installed.
typecheck: .venv/installed-test
	@rm -rf build/tree && mkdir -p build/tree && cp -r hpo build/tree/hpo
	@cp -r models data studies build/tree/hpo/
	@cd build/tree && ../../$(BIN)/mypy --config-file ../../pyproject.toml --cache-dir ../../.mypy_cache -p hpo

check: lint typecheck test test-slow ## Lint, types, all tests

# The wheel must work where no checkout is: install it elsewhere, import every module, run a tiny study.
wheel-check: .venv/installed-test ## Build the wheel, install it outside the checkout, run a tiny study from it
	@rm -rf build/wheel && mkdir -p build/wheel
	@$(BIN)/python -m build --wheel --outdir build/wheel . >build/wheel/log 2>&1 || { cat build/wheel/log; exit 1; }
	@$(BIN)/python tests/check_wheel.py build/wheel/*.whl constraints.txt

clean: ## Remove what builds and tests leave; outputs/ and .venv/ stay
	rm -rf build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis

install: .venv/installed ## Build .venv
install-test: .venv/installed-test ## Build .venv with the test tools

.venv/installed: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: install it, or give PYTHON=/path/to/python"; exit 1; }
	@echo "building .venv with $(PYTHON) (once)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(INSTALL) --editable .
	@touch $@

.venv/installed-test: .venv/installed
	@echo "adding the test tools to .venv (once)"
	@$(INSTALL) --editable '.[test]'
	@touch $@
