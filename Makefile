# One isolated environment from the locks; `make help` lists what there is.
PYTHON ?= python3
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
# Every command runs as in the activated environment, where `python` and `dvc` are its own.
export PATH := $(BIN):$(PATH)
export VIRTUAL_ENV := $(CURDIR)/$(VENV)
unexport PYTHONPATH PYTHONHOME
PIP := $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check
UV := $(VENV)/bin/python tools/uv.py pip
COMPILE := $(UV) compile --quiet $(UPGRADE) --universal --python-version 3.11 --generate-hashes --no-annotate \
    --no-header --no-emit-index-url
CONSTRAINTS := --constraint requirements.lock --constraint requirements-boosters.lock
# uv takes half of pip's time; pip takes over where uv is not available or fails.
install = $(UV) install --quiet --compile-bytecode $(1) || { echo "make: uv failed, trying pip ..."; $(PIP) $(1); }
# Extras, also from the environment: `make setup EXTRAS=boosters`.
EXTRAS ?=
# Workers of the tests, for two processors: each waits for its stages and servers much of the time.
JOBS ?= 3
# The rows of the benchmarks of speed.
SIZE ?= 300000
PYTEST = python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help setup repro test test-fast test-long test-foreign kill-matrix lint format drill bench bench-quality lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.runtime $(EXTRAS:%=$(VENV)/.%) ## Set up .venv from requirements.lock (a minute, once; with LightGBM: EXTRAS=boosters)

repro: $(VENV)/.runtime ## Set up, then run the stages whose inputs changed
	@dvc repro

test: $(VENV)/.development ## Set up, then run all tests but the long scenarios
	$(PYTEST) -m "not long"

test-long: $(VENV)/.development ## Set up, then run the long scenarios (about ten minutes)
	$(PYTEST) -m long

test-fast: $(VENV)/.development ## Set up, then run the tests that need no checkout and no servers (a minute and a half)
	$(PYTEST) -m "not slow"

test-foreign: $(VENV)/.development ## Set up, then run all tests in a copy with another team's settings (ONLY="not slow": the fast ones)
	copy=$$(mktemp -d) && trap 'rm -rf "$$copy"' EXIT \
	    && python tests/helpers/foreign.py "$$copy" && cd "$$copy" && $(PYTEST) -m "$(ONLY)"

kill-matrix: $(VENV)/.development ## Set up, then kill the service and all that it runs, and its servers, at each step (an hour)
	PIPELINE_KILL_MATRIX=1 python -m pytest -n $(JOBS) --maxschedchunk 1 -v tests/scenarios/test_killed_service.py

lint: $(VENV)/.development ## Set up, then ruff, mypy in strict mode, and the checks of .github/ and deploy/
	ruff check .
	ruff format --check .
	mypy
	check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	check-jsonschema --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/bug.yml .github/ISSUE_TEMPLATE/feature.yml
	check-jsonschema --builtin-schema vendor.compose-spec deploy/compose.yaml
	pre-commit validate-config
	sh -n deploy/entrypoint.sh
	zizmor --offline --no-progress --quiet --persona=pedantic .github

format: $(VENV)/.development ## Set up, then let ruff format and sort
	ruff format .
	ruff check --fix .

drill: $(VENV)/.runtime ## Restore every published version from an empty cache, and hold all bytes to their hashes
	pipeline drill

bench: $(VENV)/.benchmarks ## Set up, then measure speed and memory, in tables (about fifteen minutes; SIZE=1000000 for more rows)
	@python benchmarks/measure.py
	python benchmarks/ingestion_speed.py $(SIZE)
	python benchmarks/readers.py $(SIZE)
	python benchmarks/stages.py $(SIZE)
	python benchmarks/scale.py 10000 100000 $(SIZE)
	python benchmarks/holdout.py 100000 $(SIZE)
	python benchmarks/boosters.py $(SIZE)
	python benchmarks/part_size.py $(SIZE)
	python benchmarks/pipeline_speed.py
	python benchmarks/service_load.py

bench-quality: $(VENV)/.benchmarks ## Set up, then measure models, tuning, leakage and drift (about two hours)
	python benchmarks/model_quality.py
	python benchmarks/calibration.py
	python benchmarks/leakage.py
	python benchmarks/data_change.py
	python benchmarks/tuning.py

lock: $(VENV)/.runtime ## Update the locks from pyproject.toml; versions stay, except with UPGRADE="--upgrade-package mlflow"
	$(COMPILE) --output-file requirements.lock pyproject.toml
	$(COMPILE) --output-file requirements-boosters.lock --no-deps --group boosters
	$(COMPILE) --output-file requirements-dev.lock --extra dev $(CONSTRAINTS) pyproject.toml
	$(COMPILE) --output-file requirements-bench.lock --extra bench $(CONSTRAINTS) pyproject.toml
	$(COMPILE) --output-file requirements-uv.lock --group setup

clean: ## Remove the environment, the sample MongoDB and the local MLflow with its versions (no DVC cache or remote)
	rm -rf $(VENV) .sample-mongodb .sample-mongodb.lock mlflow.db mlartifacts

# A stamp is as old as the lock that it was made from. Bytecode is compiled at once: imports take half the time.
$(VENV)/.runtime: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
	    || { echo "make: $(PYTHON) is $$($(PYTHON) --version): Python 3.11 to 3.13 is needed (make PYTHON=python3.12 ...)"; exit 2; }
	@test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing requirements.lock into $(VENV) ..."
	@$(PIP) --require-hashes -r requirements-uv.lock || true
	@$(call install,--require-hashes -r requirements.lock)
	@$(call install,--no-deps --no-build-isolation --editable .)
	@python -m pipeline.tracking.new_store
	@touch $@

$(VENV)/.boosters: $(VENV)/.runtime requirements-boosters.lock
	@$(call install,--require-hashes --no-deps -r requirements-boosters.lock)
	@touch $@

$(VENV)/.development: $(VENV)/.runtime requirements-dev.lock
	@$(call install,--require-hashes -r requirements-dev.lock)
	@touch $@

$(VENV)/.benchmarks: $(VENV)/.runtime requirements-bench.lock
	@$(call install,--require-hashes -r requirements-bench.lock)
	@touch $@
