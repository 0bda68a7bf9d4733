# Two commands do everything: `make demo` and `make test`. Each sets up what it needs.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
MODEL_VENV := var/model-venv
LOCK := uv pip compile pyproject.toml --generate-hashes --no-emit-index-url --python-version 3.11 \
        --python-platform x86_64-unknown-linux-gnu --custom-compile-command "make lock" -q

# Where this is set, each of the suite's hundreds of processes would compile all modules anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test check bench crash-test speech-test prompts speech-model lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.run: requirements.txt pyproject.toml
	@PYTHON=$(PYTHON) bash .ci/venv requirements.txt
	@touch $@

# requirements-dev.txt has all of requirements.txt
$(VENV)/.dev: requirements-dev.txt requirements.txt pyproject.toml
	@PYTHON=$(PYTHON) bash .ci/venv requirements-dev.txt
	@touch $(VENV)/.run $@

demo: $(VENV)/.run ## a telephone company on this machine and one call by voice that pays (ONCE=1: end after it)
	@$(BIN)/saldo demo $(if $(ONCE),--once)

test: $(VENV)/.dev ## the whole suite, real calls included
	@$(BIN)/pytest

check: $(VENV)/.dev ## ruff, mypy --strict, import rules, architecture test
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/pytest -q -n 0 tests/test_architecture.py

bench: $(VENV)/.dev ## figures of calls and speech beside their goals, about 15 minutes; var/bench
	@$(BIN)/python -m ivr.lab.bench

crash-test: $(VENV)/.run ## kill -9 at every await around a charge: 3,200 trials, under an hour; var/crashtest
	@$(BIN)/python -m ivr.lab.crashing $(if $(TRIALS),--trials $(TRIALS)) $(if $(SEED),--seed $(SEED))

speech-test: $(VENV)/.dev ## every answer and other sound; `make test` hears a quarter of them
	@SALDO_TEST_SPEECH=all $(BIN)/pytest tests/speech/test_answers_and_other_sounds.py

prompts: $(VENV)/.run ## every fixed sound, in the PBX's own formats
	@$(BIN)/saldo prompts build

$(MODEL_VENV)/.model: requirements-model.txt
	@PYTHON=$(PYTHON) VENV=$(MODEL_VENV) bash .ci/venv requirements-model.txt
	@touch $@

speech-model: $(MODEL_VENV)/.model ## the shipped speech models again, an hour (UTTERANCES=2100: a poor one, soon)
	@$(MODEL_VENV)/bin/python -m grammars.build build $(if $(UTTERANCES),--utterances $(UTTERANCES))
	@$(MODEL_VENV)/bin/python -m grammars.build measure $(if $(TRIALS),--trials $(TRIALS))

lock: ## pin every dependency with its hash again (needs uv)
	$(LOCK) -o requirements.txt
	$(LOCK) --group dev -o requirements-dev.txt
	$(LOCK) --group model -o requirements-model.txt

clean: ## remove the environment and what runs left; the package cache stays
	@if [ -x $(BIN)/saldo ]; then $(BIN)/saldo lab down; fi
	rm -rf $(VENV) var
