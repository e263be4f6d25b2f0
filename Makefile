# Everything a contributor types. `make help` lists it; `make check` is what CI and the pre-push hook run.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:

# Compiled modules start a process in half the time, and the suite starts hundreds.
unexport PYTHONDONTWRITEBYTECODE

# Set on the command line: `make serve SLUICE_PORT=9000`. The lines after #? and ## are what `make help` prints.
#? PYTHON           interpreter that makes the environment (default: the first fit one of python3, python3.11 to 3.14)
PYTHON ?=
#? UV               uv, which installs faster than pip if it is there; `UV=` for pip
UV ?= uv
#? VENV             folder of the virtual environment
VENV ?= .venv
ifneq ($(words $(VENV)),1)
$(error VENV ($(VENV)) must be one path without spaces, which make would take for several: `make clean` removes it)
endif
#? TORCH_INDEX_URL  index of PyTorch for Linux without an NVIDIA GPU (default: that of its CPU wheels; `TORCH_INDEX_URL=` for none);
#?                  one that you name is asked whatever the machine has
TORCH_INDEX_URL ?= https://download.pytorch.org/whl/cpu
#? SLUICE_PORT      port of `serve` (default: 8000); every SLUICE_... setting of the server can be given like this
#? TRAIN            training file of `train` in place of the recipe's; VALIDATION and TEST name its other files
TRAIN ?=
VALIDATION ?=
TEST ?=
#? RECIPE           recipe of `train` (default: sst2)
#? SLUICE_DATA      folder in which `train` and `model` find a recipe's files (default: data)
RECIPE ?= sst2
#? OUTPUT           folder in which `train` writes the checkpoint
OUTPUT ?= runs/$(RECIPE)
#? ENGLISH_ENCODER  folder of the encoder that `model` makes the English teacher of; CHINESE_ENCODER for the Chinese one
#? BUILD            folder in which `model` keeps its stages (default: runs/sentiment); MODEL is the checkpoint (default: checkpoints/sentiment)
#? LIMIT            texts of each file that `model` reads, for a trial of the whole chain
#? BENCH            benchmarks of `bench`, by file name without .py (default: all)
BENCH ?= $(subst /,.,$(patsubst benchmarks/%.py,%,$(filter-out %_worker.py %_table.py,$(wildcard benchmarks/guard.py benchmarks/bulk/[a-z]*.py benchmarks/engine/[a-z]*.py benchmarks/http/[a-z]*.py benchmarks/faults/[a-z]*.py benchmarks/training/[a-z]*.py))))
#? JOBS             processes of `test` (default: one for each processor)
JOBS ?= auto
#? ARGS             further arguments for serve, test, train and bench
ARGS ?=

python := $(VENV)/bin/python
# One word of the shell, whatever is in it.
quoted = '$(subst ','\'',$(1))'
# A lock into the environment: what torch, by pip or uv, and how far it is are said by requirements/install.py.
install = $(python) -m requirements.install $< $(if $(TORCH_INDEX_URL),--torch-index '$(TORCH_INDEX_URL)') \
	$(if $(filter file,$(origin TORCH_INDEX_URL)),,--torch-index-always) $(if $(UV),--uv '$(UV)')
# A stamp is newer than the lock that was installed: setting up again costs nothing until a lock changes.
core := $(VENV)/.core
training := $(VENV)/.training
dev := $(VENV)/.dev
audit := build/audit/.done

.PHONY: help setup engine serve test clients train model encoder bench guard soak structure fmt lint types check coverage container-test audit sbom hooks lock clean

help: ## this list
	@echo 'Targets:'
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/  \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | sort | expand -t 18
	@echo 'Variables:'
	@sed -nE 's/^#\? /  /p' $(firstword $(MAKEFILE_LIST))

setup: $(dev) engine ## the environment with everything: serving, training, tests and checks

engine: $(core) ## the library that computes on a CPU, if there is a C++ compiler; `serve` and `setup` make it too
	@test -f model/engine/libengine.so -a -z "$$(find model/engine/native -newer model/engine/libengine.so)" \
		|| $(python) -m model.engine.build

serve: $(core) engine ## the server with the shipped checkpoint, on port 8000
	@exec $(python) -m app serve $(ARGS)

test: $(dev) engine ## the whole suite
	@$(python) -m pytest --numprocesses=$(JOBS) $(ARGS)

clients: build/clients/.stamp ## fetch what tests need and the locks lack: huggingface.js, onnxruntime-web, the OpenAPI generator, axe-core

train: $(training) ## a checkpoint by RECIPE, from TRAIN=FILE or from the recipe's own files below SLUICE_DATA
	@exec $(python) -m training train --recipe $(call quoted,$(RECIPE)) $(if $(TRAIN),--train $(call quoted,$(TRAIN))) \
		$(if $(VALIDATION),--validation $(call quoted,$(VALIDATION))) $(if $(TEST),--test $(call quoted,$(TEST))) \
		--output $(call quoted,$(OUTPUT)) $(ARGS)

model: $(training) engine ## the default checkpoint from the public sets below SLUICE_DATA; stages, hours: training/config/recipes/sentiment.mk
	@$(MAKE) --no-print-directory -f training/config/recipes/sentiment.mk python=$(python) model

encoder: $(training) engine ## the layers that trainings start from, of the same sets; hours
	@$(MAKE) --no-print-directory -f training/config/recipes/sentiment.mk python=$(python) encoder

bench: $(dev) ## the measurements in benchmarks/; BENCH=NAME for one
	@for name in $(BENCH); do echo "== $$name"; $(python) -m benchmarks.$$name $(ARGS); done

guard: $(dev) engine ## fail if engine or server has become slow against its reference in the same run; takes a minute
	@$(python) -m benchmarks.guard

soak: $(dev) engine ## fail if the server's memory grows under texts of every length; ARGS='--seconds 600' for longer than a minute
	@$(python) -m benchmarks.faults.soak $(ARGS)

fmt: $(dev) ## rewrite the code in the house format
	@$(python) -m ruff check --fix-only --quiet .
	@$(python) -m ruff format .

lint: $(dev) ## format, lint rules, layers of imports, docstrings and the Dockerfile, changing nothing
	@$(python) -m ruff format --check .
	@$(python) -m ruff check .
	@PYTHONPATH=. $(VENV)/bin/lint-imports --no-cache
	@$(python) -m benchmarks.lib.structure --docstrings
	@$(VENV)/bin/hadolint --failure-threshold info Dockerfile

structure: $(dev) ## the figures that the layout is held to; ARGS=FOLDER for another checkout
	@$(python) -m benchmarks.lib.structure $(ARGS)

types: $(dev) ## strict types, tests included
	@$(python) -m mypy

check: lint types test ## lint, types, test; CI adds guard, soak and container-test

coverage: $(dev) ## the suite with branch coverage
	@$(python) -m pytest --cov --cov-report=term $(ARGS)

container-test: $(dev) $(audit) ## the Dockerfile's steps in a bare Debian, without Docker; needs root and debootstrap
	@$(python) -m tests.packaging.container

# Not part of `check`: what is known to be vulnerable changes without a change here, and asking needs PyPI's own service
# (ARGS='-s osv' asks another), whatever index packages come from. --strict: what could not be asked about is a failure.
audit: $(audit) ## known vulnerabilities of everything locked; needs the network, so `check` does without
	@build/audit/bin/pip-audit --strict --disable-pip --no-deps --progress-spinner off -r requirements/dev.txt $(ARGS)

sbom: $(core) $(audit) ## build/sbom.cdx.json and build/licences.md: the Python packages of the images; container-test adds Debian's
	@build/audit/bin/python -m tests.packaging.inventory --only requirements/core.txt --output build \
		--packages "$$($(python) -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"

hooks: $(dev) ## run the fast checks at each commit and `make check` at each push
	@$(python) -m pre_commit install --install-hooks --hook-type pre-commit --hook-type pre-push

clean: ## remove the environment and what tools have left behind
	rm -rf $(VENV) build .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage .coverage.*

# --- the environment ---------------------------------------------------------------------------------------------------

fit := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))
uv_venv := UV_VENV_CLEAR=1 "$(UV)" venv --quiet --seed $(VENV) --python

$(python):
	@python='$(PYTHON)'; \
	if [ -z "$$python" ]; then \
		for candidate in python3 python3.11 python3.12 python3.13 python3.14; do \
			if $$candidate -c '$(fit)' 2>/dev/null; then python=$$candidate; break; fi; \
		done; \
	fi; \
	if [ -z "$$python" ] && "$(UV)" --version >/dev/null 2>&1; then \
		echo 'Making $(VENV) with a Python 3.11 to 3.14 that uv finds or fetches' >&2; \
		exec env $(uv_venv) '>=3.11,<3.15'; \
	fi; \
	if [ -z "$$python" ]; then \
		echo 'Sluice needs Python 3.11 to 3.14, and found none. If you have one: make PYTHON=/path/to/python3.11' >&2; exit 2; \
	fi; \
	if ! "$$python" -c '$(fit)'; then \
		echo "Sluice needs Python 3.11 to 3.14; $$python is $$("$$python" --version 2>&1 || true)" >&2; exit 2; \
	fi; \
	echo "Making $(VENV) with $$("$$python" --version)" >&2; \
	if ! "$$python" -m venv $(VENV); then \
		rm -f $(VENV)/bin/python*; \
		if "$(UV)" --version >/dev/null 2>&1; then exec env $(uv_venv) "$$python"; fi; \
		echo 'This Python cannot make virtual environments (Debian: apt-get install python3-venv)' >&2; exit 2; \
	fi

# Each lock contains the one before it, so the larger installation also counts as the smaller.
$(core): requirements/core.txt | $(python)
	@$(install)
	@touch $@

$(training): requirements/training.txt | $(python)
	@$(install)
	@touch $(core) $@

$(dev): requirements/dev.txt | $(python)
	@$(install)
	@touch $(core) $(training) $@

$(audit): | $(python)
	@echo 'Installing pip-audit and cyclonedx-python-lib in build/audit' >&2
	@$(python) -m venv build/audit
	@build/audit/bin/python -m pip install --disable-pip-version-check --quiet 'pip-audit>=2.10,<3' 'cyclonedx-python-lib[json-validation]>=11.12,<12'
	@touch $@

# Apart from the environment: the generator holds packages back that others need newer, and the other one is Node's.
build/clients/.stamp: tests/clients/requirements.txt tests/clients/package.json | $(python)
	@echo 'Installing tests/clients/requirements.txt and package.json in build/clients' >&2
	@$(python) -m venv build/clients
	@build/clients/bin/python -m pip install --disable-pip-version-check --quiet -r tests/clients/requirements.txt
	@cp tests/clients/package.json build/clients/
	@if command -v npm >/dev/null; then cd build/clients && npm install --silent --no-audit --no-fund; \
	else echo 'NOT FETCHED: huggingface.js, onnxruntime-web and axe-core need npm' >&2; fi
	@touch $@

# --- the locks ---------------------------------------------------------------------------------------------------------

uv := build/lock/bin/uv
compile := $(uv) pip compile pyproject.toml --universal --python-version 3.11 --quiet --annotation-style line \
	--custom-compile-command 'make lock' --no-emit-package httpx2-jsfetch \
	--no-emit-index-url --no-emit-find-links

# What tokenizers asks for to download from the Hugging Face hub, which no server does.
downloading := huggingface-hub hf-xet httpx2 httpcore2 truststore tqdm fsspec filelock packaging pyyaml

build/lock/bin/uv: | $(python)
	@$(python) -m venv build/lock
	@build/lock/bin/python -m pip install --disable-pip-version-check --quiet 'uv>=0.13,<0.14'

# The versions already locked stay unless pyproject.toml excludes them or UPGRADE=1 asks for the newest.
#? UPGRADE          1 for `lock` to take the newest versions that pyproject.toml admits
lock: $(uv) ## requirements/*.txt from pyproject.toml
	@$(compile) --all-extras $(if $(UPGRADE),--upgrade) -o requirements/dev.txt
	@$(compile) --extra torch --extra training --extra distill --extra onnx -c requirements/dev.txt -o requirements/training.txt
	@$(compile) --extra torch -c requirements/dev.txt -o requirements/core.txt
	@$(compile) -c requirements/dev.txt -o requirements/slim.txt $(addprefix --no-emit-package ,$(downloading))
