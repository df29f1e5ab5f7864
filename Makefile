# Every recipe that CI runs is here; `make help` lists them.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
export HF_HUB_OFFLINE = 1

.PHONY: help install demo serve test lint types check bench train lock clean

help:  ## list the recipes
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: .venv/.installed  ## make .venv with the CLI at .venv/bin/ibid, and prepare the models; once

.venv/.installed: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	$(BIN)/ibid models build
	touch $@

demo: install  ## start the server, upload corpora/handbook, ask it questions, stop the server
	$(BIN)/python -m api.demo

serve: install  ## leave the service running on http://127.0.0.1:8000
	$(BIN)/ibid serve

test: install  ## run the tests
	$(BIN)/python -m pytest

lint: install  ## format check and lint
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: install  ## mypy, strict
	$(BIN)/mypy

check: lint types test  ## what CI runs

bench: install  ## measure quality and speed on ../shared/data, and write eval/results
	$(BIN)/python -m eval.bench

# Training allocates and frees much memory: kept by the process, it costs half as much time as given back.
train: export MALLOC_MMAP_MAX_ = 0
train: export MALLOC_TRIM_THRESHOLD_ = 17179869184
train: export MALLOC_TOP_PAD_ = 536870912
train: export GLIBC_TUNABLES = glibc.malloc.hugetlb=1
train: export ONEDNN_PRIMITIVE_CACHE_CAPACITY = 8192
train: install  ## train one job of the pack, going on where it stopped: make train JOB=reader
	$(BIN)/python -m training.$(JOB)

lock: install  ## write requirements.lock from what .venv holds
	echo "# Every package of the environment, exactly; \`make lock\` writes it from .venv." > requirements.lock
	$(BIN)/python -m pip freeze --exclude-editable | sed 's/^\(torch==[0-9.]*\)+cpu$$/\1/' >> requirements.lock

clean:  ## remove .venv and caches; the data folder stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis ibid.egg-info
