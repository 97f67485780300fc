# Each target makes the virtual environment itself when it is missing or older than what it is to hold.
# `make help` lists them.

# No Python here is led elsewhere by what a shell has set.
unexport PYTHONPATH PYTHONHOME PYTHONSTARTUP PYTHONUSERBASE PYTHONPYCACHEPREFIX PYTHONINSPECT PYTHONBREAKPOINT
unexport PYTHONPLATLIBDIR PYTHONWARNINGS PYTHONEXECUTABLE __PYVENV_LAUNCHER__
export PYTHONNOUSERSITE = 1

PYTHON ?= python3
RUNNER  = .venv/bin/runner
# Also where Python is to keep no bytecode: each of its processes would compile all tests again.
PYTEST  = env -u PYTHONDONTWRITEBYTECODE .venv/bin/python -m pytest
JOB    ?=
CODE   ?=
# A folder of Python packages, for a machine without a network; make wheels fills one.
WHEELS ?=
# What the marks mean, and where a new test goes: docs/house.md, Tests.
SHORT   = not (packages or long or soak or alone)
REST    = (packages or long or lab) and not (soak or alone)
# Tests with real programs share the processors; what fails among others is tried once more, by itself.
define together
	$(PYTEST) -q $(1) -m "$(2)" --numprocesses=4 --dist=$(3) --no-loadscope-reorder --durations=10 --durations-min=3 || { \
	  ended=$$?; [ $$ended -eq 1 ] || exit $$ended; \
	  echo "what failed while other tests ran is tried once more, alone; it fails only if it fails again" ; \
	  $(PYTEST) -q $(1) -m "$(2)" --last-failed --last-failed-no-failures=none; }
endef

.DEFAULT_GOAL := help
.PHONY: help run plan apply status test test-all lab vm soak mutants lint schema lock bench wheels clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: .venv/run  ## plan, review and run what is due, or JOB="name ..."
	@$(RUNNER) run $(JOB)

plan: .venv/run  ## show what would run and write it to plan.toml for review
	@$(RUNNER) plan $(JOB) --out plan.toml

apply: .venv/run  ## run exactly what plan.toml says, once; CODE=XXXX-XXXX: only if that is its code
	@$(RUNNER) apply plan.toml $(if $(CODE),--code '$(CODE)')

status: .venv/run  ## how each job ended last, when it is due, what the stores hold
	@$(RUNNER) status

test:  ## most tests, in some minutes; says first what it installs and how long it takes
	@echo "make test: 6 minutes or so on 2 cores, and before it a minute to install what is missing"
	@PYTHON=$(PYTHON) sh .ci/packages --tell test
	@sh .ci/python-packages --tell dev
	@$(MAKE) --silent .venv/dev
	@.venv/bin/python -m compileall -q runner hooks
	$(PYTEST) -q tests/unit --numprocesses=2
	$(call together,tests/contract,$(SHORT),worksteal)

test-all: export PROPERTIES = usual
test-all:  ## the rest: with a database server, a Debian, a dnf, two hosts (root); says what it installs too
	@echo "make test-all: 10 minutes or so on 2 cores, and before it 2 minutes to install what is missing"
	@PYTHON=$(PYTHON) sh .ci/packages --tell test-all
	@echo "  kept in /var/tmp/runner-tests: a Debian of 300 MB, made by debootstrap, for the next time"
	@$(MAKE) --silent .venv/all
	@.venv/bin/python -m compileall -q runner hooks
	$(PYTEST) -q tests/unit -m hypothesis --numprocesses=3
	$(call together,tests/lab tests/contract,$(REST),loadfile)
	$(PYTEST) -q tests/lab tests/contract -m alone

lab: .venv/all  ## two real hosts with a real disk: the story of the guide (root)
	$(PYTEST) tests/lab

vm: .venv/vm  ## a machine that really reboots, under qemu (root)
	$(PYTEST) tests/vm

soak: export PROPERTIES = deep
soak: .venv/all  ## every property on a thousand cases, every power cut, all that is marked soak; an hour or two (root)
	$(PYTEST) -q tests/unit tests/contract -m hypothesis
	$(PYTEST) -q tests/contract/store/test_power_cuts.py
	PROPERTIES=usual $(PYTEST) -q tests/contract tests/lab -m soak

mutants: .venv/all  ## do the tests notice a wrong program? hours; the rules in minutes: ONLY="runner/jobs runner/planning"
	.venv/bin/python -m tests.mutants --each $(or $(EACH),0) $(ONLY)

lint: .venv/dev  ## ruff and mypy
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

schema: .venv/run  ## put what is below schema/kinds and schema/hooks into the one file for editors
	.venv/bin/python -m tests.schema_bundle

lock: .venv/dev  ## what is installed, in which version and with which digests, anew from pyproject.toml: .ci/*.txt
	.venv/bin/python -m tests.lock

bench: .venv/bench  ## what a day costs, against bare rsync and seven peers; an hour or so (root)
	.venv/bin/python -m tests.bench

wheels: .venv/run  ## put the Python packages into ./wheels, for a machine without a network: make run WHEELS=wheels
	@.venv/bin/python -I -m pip download --quiet --disable-pip-version-check --dest wheels --no-deps \
	  --require-hashes --only-binary=:all: --requirement .ci/run.txt

clean:  ## remove the virtual environment and caches; the sandbox stays
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis build *.egg-info

# The programs of a checkout that was moved name the place where it was: they are made anew.
MADE_HERE = [ -L .venv ] || grep -qsF "$(CURDIR)/.venv/" .venv/bin/runner
$(shell [ ! -e .venv/run ] || { $(MADE_HERE); } || rm -f .venv/run .venv/dev)

.venv/run: pyproject.toml .ci/run.txt .ci/python-packages
	@echo "setting up the runner, once, and when what it needs has changed:"
	@PYTHON=$(PYTHON) sh .ci/packages --tell run
	@sh .ci/python-packages --tell run
	@PYTHON=$(PYTHON) sh .ci/packages run
	@echo "making .venv"
	@{ $(MADE_HERE); } || rm -rf .venv
	@PYTHON=$(PYTHON) WHEELS="$(WHEELS)" sh .ci/python-packages run
	@touch $@

.venv/dev: .venv/run .ci/dev.txt .ci/packages
	@PYTHON=$(PYTHON) sh .ci/packages test
	@echo "adding what the tests need"
	@WHEELS="$(WHEELS)" sh .ci/python-packages dev
	@touch $@

.venv/all: .venv/dev
	@PYTHON=$(PYTHON) sh .ci/packages test-all
	@touch $@

.venv/vm: .venv/dev
	@PYTHON=$(PYTHON) sh .ci/packages vm
	@touch $@

.venv/bench: .venv/dev
	@PYTHON=$(PYTHON) sh .ci/packages bench
	@touch $@
