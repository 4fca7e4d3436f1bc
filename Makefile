# `make repro` sets everything up and runs the pipeline; `make test` sets everything up and runs the tests.
.PHONY: repro test smoke style quality base-model lock env
SHELL := bash
# dvc starts stages with the python of PATH, so the environment's comes first.
export PATH := $(CURDIR)/.venv/bin:$(PATH)
unexport VIRTUAL_ENV PYTHONPATH PYTHONHOME
export DVC_NO_ANALYTICS := 1
export HF_HUB_OFFLINE := 1
export TOKENIZERS_PARALLELISM := false

repro: env
	dvc repro

test: env
	python -m pytest

# The whole pipeline on a tiny profile, in a copy of its own.
smoke: env
	python tests/smoke.py

style: env
	ruff check --fix --quiet .; ruff format --quiet .

quality: env
	ruff check .
	ruff format --check --quiet .
	mypy

# Trains data/base anew (about an hour on two cores); the result is kept in git.
base-model: env
	python -m stages.base

env: .venv/ready

.venv/ready: requirements.lock
	test -d .venv || python3 -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	touch $@

# Versions only, no addresses and no build tags: the same file serves machines with and without a GPU.
lock: env
	.venv/bin/python -m pip install --quiet --upgrade --upgrade-strategy eager '.[dev]'
	.venv/bin/python -m pip freeze --exclude itool | sed 's/+cpu//' > requirements.lock
