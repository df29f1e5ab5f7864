# Every recipe that CI runs is here; `make help` lists them.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
export HF_HUB_OFFLINE = 1

.PHONY: help install demo serve test lint types check bench lock clean

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

lock: install  ## write requirements.lock from what .venv holds
	echo "# Every package of the environment, exactly; \`make lock\` writes it from .venv." > requirements.lock
	$(BIN)/python -m pip freeze --exclude-editable | sed 's/^\(torch==[0-9.]*\)+cpu$$/\1/' >> requirements.lock

clean:  ## remove .venv and caches; the data folder stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis ibid.egg-info
