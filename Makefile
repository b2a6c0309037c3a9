# Everything runs in .venv, whose programs come first on PATH, because dvc starts whatever `python` it finds.
VENV := .venv
# `make V=1 TARGET` prints everything that pip and DVC print.
V ?=
VERBOSE := $(if $(V),--verbose)
# Two files of tests at a time, one thread each.
PYTEST := OMP_NUM_THREADS=1 python -m pytest -n 2 --dist loadfile --no-loadscope-reorder
PYTHON ?= python3
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
# Bytecode is compiled and kept on first use: compiling all of PyTorch at installation takes a minute.
unexport PYTHONDONTWRITEBYTECODE

# DVC runs queued stages in other folders, where a relative path would lead elsewhere.
ifneq ($(AUDIOMNIST_SOURCE),)
override AUDIOMNIST_SOURCE := $(shell realpath -ms -- '$(AUDIOMNIST_SOURCE)')
export AUDIOMNIST_SOURCE
endif

# An unpacked archive has no git, without which DVC runs nothing.
ifneq ($(filter quickstart protocols page,$(MAKECMDGOALS)),)
ifeq ($(shell test -e .git && git rev-parse --git-dir),)
$(error This folder is not a git clone, or git is not installed. DVC needs one: `git clone` the repository and run make there)
endif
endif

# What is installed, then what pip is asked for. pip's output is shown where it fails.
define install
@echo "Installing $(1) in $(VENV): about 7 GB, most of it PyTorch; a few minutes"
@python -m pip install --no-compile --editable "$(2)" $(if $(V),,> $(VENV)/pip.log 2>&1 || { cat $(VENV)/pip.log >&2; exit 1; })
@touch $@
endef

.DEFAULT_GOAL := help

.PHONY: help
help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: quickstart
quickstart: $(VENV)/installed  ## environment, data, the whole pipeline, a table of results, one scored folder
	@audiomnist quickstart $(VERBOSE)

.PHONY: protocols
protocols: $(VENV)/installed  ## other splits, unseen speakers, disturbances: about an hour, see docs/protocols.md
	@audiomnist protocols --run $(VERBOSE)

.PHONY: page
page: $(VENV)/installed  ## the report, reports/page/index.html, and the model card, from the results that there are
	dvc repro --single-item stages/page/dvc.yaml:page

.PHONY: test
test: $(VENV)/installed-test  ## environment, and the tests that take seconds
	$(PYTEST) -m "not long"

.PHONY: test-long
test-long: $(VENV)/installed-test  ## the tests that take minutes, and the property tests with fresh examples
	$(PYTEST) -m "long or property" --hypothesis-profile fresh

.PHONY: test-all
test-all: $(VENV)/installed-test  ## every test
	$(PYTEST)

.PHONY: check
check: $(VENV)/installed-test  ## ruff, mypy --strict, import-linter
	ruff check
	ruff format --check
	mypy
	lint-imports

LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--custom-compile-command "make lock" $(if $(UPGRADE),--upgrade)
LOCKS := $(patsubst %,requirements/%.lock,build scorer cloud asr pipeline)

.PHONY: lock
lock: $(VENV)/installed-tools  ## requirements/*.lock again from pyproject.toml; UPGRADE=1 for the newest releases
	$(LOCK) requirements/build.txt --output-file requirements/build.lock
	$(LOCK) pyproject.toml --output-file requirements/scorer.lock
	$(LOCK) pyproject.toml --extra cloud --output-file requirements/cloud.lock
	$(LOCK) pyproject.toml --extra asr --output-file requirements/asr.lock
	$(LOCK) pyproject.toml --extra pipeline --output-file requirements/pipeline.lock

.PHONY: audit
audit: $(VENV)/installed-tools  ## known vulnerabilities of what requirements/*.lock name
	python requirements/audit.py $(LOCKS)

.PHONY: sbom
sbom: $(VENV)/installed-tools  ## the scorer's packages as CycloneDX: requirements/scorer.cdx.json
	cyclonedx-py requirements requirements/scorer.lock --pyproject pyproject.toml --short-PURLs --output-reproducible \
		--output-file requirements/scorer.cdx.json

.PHONY: mutants
mutants: $(VENV)/installed-test $(VENV)/installed-tools  ## mutation tests, an hour: docs/notes/mutation-testing.md
	OMP_NUM_THREADS=1 nice -n 19 mutmut run --max-children 1

.PHONY: benchmark
benchmark: $(VENV)/installed  ## how fast it is beside its peers, under ten minutes: reports/benchmark.json, docs/performance.md
	python -m benchmarks

.PHONY: cluster-demo
cluster-demo: $(VENV)/installed-test  ## five thousand files scored by three Ray nodes, one of which is killed, in under three minutes
	python -m benchmarks.cluster_demo

.PHONY: clean
clean:  ## remove the environment and the work in progress, not the data
	rm -rf $(VENV) build mutants .mypy_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	@$(PYTHON) -m venv $(VENV)

$(VENV)/installed-tools: requirements/tools.txt | $(VENV)/bin/python
	@python -m pip install --quiet --requirement requirements/tools.txt
	@touch $@

$(VENV)/installed: pyproject.toml | $(VENV)/bin/python
	$(call install,audiomnist and its pipeline,.[pipeline])

$(VENV)/installed-test: pyproject.toml | $(VENV)/bin/python
	$(call install,audiomnist and its test tools,.[test])
	@touch $(VENV)/installed
