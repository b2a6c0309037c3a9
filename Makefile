# Everything runs in .venv, whose programs come first on PATH, because dvc starts whatever `python` it finds.
VENV := .venv
# Two files of tests at a time, one thread each.
PYTEST := OMP_NUM_THREADS=1 python -m pytest -n 2 --dist loadfile
PYTHON ?= python3
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

# DVC runs stages in folders of its own, where a relative path would lead elsewhere.
ifneq ($(AUDIOMNIST_SOURCE),)
override AUDIOMNIST_SOURCE := $(shell realpath -ms -- '$(AUDIOMNIST_SOURCE)')
export AUDIOMNIST_SOURCE
endif

.DEFAULT_GOAL := help

.PHONY: help
help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: quickstart
quickstart: $(VENV)/installed  ## environment, data, the whole pipeline, a table of results, one scored folder
	audiomnist quickstart

.PHONY: protocols
protocols: $(VENV)/installed  ## other splits, unseen speakers, disturbances: an hour and a half, see docs/protocols.md
	@start=$$(date +%s); dvc repro stages/protocols/dvc.yaml && \
	    echo "the protocols took $$((($$(date +%s) - start) / 60)) min"

.PHONY: test
test: $(VENV)/installed-test  ## environment, and the tests that take seconds
	$(PYTEST) -m "not long"

.PHONY: test-all
test-all: $(VENV)/installed-test  ## every test, the long ones too
	$(PYTEST)

.PHONY: check
check: $(VENV)/installed-test  ## ruff, mypy --strict, import-linter
	ruff check
	ruff format --check
	mypy
	lint-imports

.PHONY: benchmark
benchmark: $(VENV)/installed  ## how fast it is beside its peers, under ten minutes: reports/benchmark.json, docs/performance.md
	python -m benchmarks

.PHONY: clean
clean:  ## remove the environment and the work in progress, not the data
	rm -rf $(VENV) build .mypy_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: pyproject.toml | $(VENV)/bin/python
	python -m pip install --editable ".[pipeline]"
	touch $@

$(VENV)/installed-test: pyproject.toml | $(VENV)/bin/python
	python -m pip install --editable ".[test]"
	touch $@ $(VENV)/installed
