# One isolated environment from the locks; `make help` lists what there is.
PYTHON ?= python3
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
# Every command runs as in the activated environment, where `python` and `dvc` are its own.
export PATH := $(BIN):$(PATH)
export VIRTUAL_ENV := $(CURDIR)/$(VENV)
unexport PYTHONPATH PYTHONHOME
# Workers of the tests, for two processors: each waits for its stages and servers much of the time.
JOBS ?= 3

.DEFAULT_GOAL := help
.PHONY: help setup repro test kill-matrix lint format drill bench lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.runtime ## Set up .venv from requirements.lock (one to two minutes, once)

repro: $(VENV)/.runtime ## Set up, then run the stages whose inputs changed
	@dvc repro

test: $(VENV)/.development ## Set up, then run all tests
	python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder

kill-matrix: $(VENV)/.development ## Set up, then kill the service and all that it runs, and its servers, at each step (an hour)
	PIPELINE_KILL_MATRIX=1 python -m pytest -n $(JOBS) tests/scenarios/test_killed_service.py

lint: $(VENV)/.development ## Set up, then ruff, mypy in strict mode, and the checks of the workflows and of deploy/
	ruff check .
	ruff format --check .
	mypy
	check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	check-jsonschema --builtin-schema vendor.compose-spec deploy/compose.yaml
	sh -n deploy/entrypoint.sh
	zizmor --offline --no-progress --quiet --persona=pedantic .github/workflows

format: $(VENV)/.development ## Set up, then let ruff format and sort
	ruff format .
	ruff check --fix .

drill: $(VENV)/.runtime ## Restore every published version from an empty cache, and hold all bytes to their hashes
	pipeline drill

bench: $(VENV)/.benchmarks ## Set up, then run the measurements that README quotes (about five minutes)
	python benchmarks/model_quality.py
	python benchmarks/pipeline_speed.py
	python benchmarks/service_load.py
	python benchmarks/leakage.py

lock: ## Make the three locks anew from pyproject.toml (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
	    --no-emit-index-url --output-file requirements.lock pyproject.toml
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
	    --no-emit-index-url --extra dev --constraint requirements.lock --output-file requirements-dev.lock pyproject.toml
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
	    --no-emit-index-url --extra bench --constraint requirements.lock --output-file requirements-bench.lock pyproject.toml

clean: ## Remove the environment, the sample MongoDB and the local MLflow with its versions (no DVC cache or remote)
	rm -rf $(VENV) .sample-mongodb .sample-mongodb.lock mlflow.db mlartifacts

# A stamp is as old as the lock that it was made from; pip compiles bytecode as it installs.
$(VENV)/.runtime: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
	    || { echo "make: $(PYTHON) is $$($(PYTHON) --version): Python 3.11 to 3.13 is needed (make PYTHON=python3.12 ...)"; exit 2; }
	@test -x $(VENV)/bin/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing requirements.lock into $(VENV) ..."
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.development: $(VENV)/.runtime requirements-dev.lock
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

$(VENV)/.benchmarks: $(VENV)/.runtime requirements-bench.lock
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bench.lock
	@touch $@
