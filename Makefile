# Every recipe that CI runs is here; `make help` lists them.
HAS_VENV := import sys, ensurepip, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
# The first that runs: a pyenv shim stands in the path even where its Python is absent.
PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3; do \
	$$python -c '$(HAS_VENV)' 2>/dev/null && echo $$python && break; done)
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
export HF_HUB_OFFLINE = 1

.PHONY: help install install-dev demo serve test lint types check bench train lock clean

help:  ## list the recipes
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

install: .venv/.installed  ## make .venv with the CLI at .venv/bin/ibid, and prepare the models; once

.venv/.installed: requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "No Python 3.11, 3.12 or 3.13 with venv was found; install one" \
		"(on Debian and Ubuntu: python3 and python3-venv), or name it: make install PYTHON=/path/to/python3" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(PIP) install --quiet -r requirements.lock
	$(PIP) install --quiet --no-deps --editable .
	$(BIN)/ibid models build
	touch $@

install-dev: .venv/.installed-dev  ## add what tests, evaluation and training need; they call it themselves

.venv/.installed-dev: .venv/.installed requirements-dev.lock
	$(PIP) install --quiet -r requirements-dev.lock
	$(BIN)/ibid models build
	touch $@

demo: install  ## start the server, upload corpora/handbook, ask it questions, stop the server
	$(BIN)/python -m api.demo

serve: install  ## leave the service running on http://127.0.0.1:8000
	$(BIN)/ibid serve

# Three processes, for many tests wait; each has its own models. A file's tests stay together, for they share servers.
test: install-dev  ## run the tests
	$(BIN)/python -m pytest -n 3 --dist loadfile

lint: install-dev  ## check format, style, and which module may import which
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports

types: install-dev  ## mypy, strict
	$(BIN)/mypy

check: lint types test  ## what CI checks

bench: install-dev  ## measure quality and speed on ../shared/data, and write eval/results
	$(BIN)/python -m eval.bench

# Training allocates and frees much memory: kept by the process, it costs half as much time as given back.
train: export MALLOC_MMAP_MAX_ = 0
train: export MALLOC_TRIM_THRESHOLD_ = 17179869184
train: export MALLOC_TOP_PAD_ = 536870912
train: export GLIBC_TUNABLES = glibc.malloc.hugetlb=1
train: export ONEDNN_PRIMITIVE_CACHE_CAPACITY = 8192
train: install-dev  ## train one job of the pack, going on where it stopped: make train JOB=reader
	$(BIN)/python -m training.$(JOB)

# What an extra needs, at the versions that .venv holds. torch brings the CUDA packages of its own build.
PINS = $(PIP) install --dry-run --ignore-installed --constraint .venv/held.txt
PINNED = sed -n 's/^Would install //p' | tr ' ' '\n' | sed -E 's/(.*)-/\1==/; s/\+cpu$$//' \
	| grep -vE '^(ibid|nvidia-.*|cuda-.*|triton)==' | LC_ALL=C sort -f

lock: install-dev  ## write both lock files from what .venv holds
	$(PIP) freeze --exclude-editable > .venv/held.txt
	$(PINS) . | $(PINNED) > .venv/service.txt
	$(PINS) '.[eval,train,llama-index,multilingual,dev]' | $(PINNED) | grep -vxFf .venv/service.txt > .venv/dev.txt
	{ echo "# What the service runs on, exactly; \`make lock\` writes it from .venv."; \
		cat .venv/service.txt; } > requirements.lock
	{ echo "# What tests, evaluation, training and the llama-index adapter add; \`make lock\` writes it from .venv."; \
		echo "-r requirements.lock"; cat .venv/dev.txt; } > requirements-dev.lock

clean:  ## remove .venv and caches; the data folder stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache ibid.egg-info
