# Each target makes the virtual environment itself when it is missing or older than pyproject.toml.
# `make help` lists them.

PYTHON ?= python3
RUNNER  = .venv/bin/runner
PYTEST  = .venv/bin/python -m pytest
JOB    ?=
# Tests with real programs and machines: they share the processors, and some of them measure.
REAL    = tests/vm/test_due_check.py tests/lab tests/contract

.DEFAULT_GOAL := help
.PHONY: help run plan apply status test lab vm soak mutants lint schema bench clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: .venv/run  ## plan, review and run what is due, or JOB="name ..."
	@$(RUNNER) run $(JOB)

plan: .venv/run  ## show what would run and write it to plan.toml for review
	@$(RUNNER) plan $(JOB) --out plan.toml

apply: .venv/run  ## run exactly what plan.toml says, once
	@$(RUNNER) apply plan.toml

status: .venv/run  ## how each job ended last, when it is due, what the stores hold
	@$(RUNNER) status

test: .venv/dev  ## all tests, the fast ones first; as root the lab too
	$(PYTEST) -q tests/unit
	PROPERTIES=usual $(PYTEST) -q tests/unit -m hypothesis --numprocesses=3
	PROPERTIES=usual $(PYTEST) -q $(REAL) -m "not alone" --numprocesses=3 --dist=loadfile || { \
	  ended=$$?; [ $$ended -eq 1 ] || exit $$ended; \
	  echo "what failed while other tests ran is tried once more, alone; it fails only if it fails again" ; \
	  PROPERTIES=usual $(PYTEST) -q $(REAL) -m "not alone" --last-failed --last-failed-no-failures=none; }
	$(PYTEST) -q tests/lab tests/contract -m alone

lab: .venv/dev  ## two real hosts with a real disk: the story of the guide (root)
	$(PYTEST) tests/lab

vm: .venv/dev  ## a machine that really reboots, under qemu (root)
	$(PYTEST) tests/vm

soak: .venv/dev  ## every property on a thousand made-up cases, and every power cut; an hour (the cuts as root)
	PROPERTIES=deep $(PYTEST) -q tests/unit tests/contract -m hypothesis
	PROPERTIES=deep $(PYTEST) -q tests/contract/store/test_power_cuts.py

mutants: .venv/dev  ## do the tests notice a wrong program? hours; the rules in minutes: ONLY="runner/jobs runner/planning"
	.venv/bin/python -m tests.mutants --each $(or $(EACH),0) $(ONLY)

lint: .venv/dev  ## ruff and mypy
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

schema: .venv/run  ## put what is below schema/kinds and schema/hooks into the one file for editors
	.venv/bin/python -m tests.schema_bundle

bench: .venv/dev  ## against bare rsync and rsnapshot, some minutes (root)
	.venv/bin/python -m tests.bench

clean:  ## remove the virtual environment and caches; the sandbox stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis build *.egg-info

.venv/run: pyproject.toml
	@PYTHON=$(PYTHON) sh .ci/packages run
	@echo "making .venv"
	@$(PYTHON) -m venv .venv
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

.venv/dev: .venv/run
	@PYTHON=$(PYTHON) sh .ci/packages test
	@echo "adding what the tests need"
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@
