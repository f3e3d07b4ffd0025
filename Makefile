# Needs python3 (3.10 or newer) and make; everything else is installed into .venv on first use.
# make test PYTHON=python3.12   takes another interpreter (.venv is made again if its version differs).
# make test AIRFLOW=3.0         takes another version of Airflow (into .venv-3.0.6), one of constraints/.

SHELL := /bin/sh
.DELETE_ON_ERROR:
.PHONY: help install demo up test test-faults test-clients test-browser tutorial pictures matrix bench docs test-docs lint types ui ui-check node \
	dist test-dist release-check release-notes compose-env compose-build compose-demo test-compose constraints coverage-page verify-aws verify-aws-clean clean

ALL_CONSTRAINTS := $(sort $(wildcard constraints/airflow-*.txt))
VERSIONS := $(ALL_CONSTRAINTS:constraints/airflow-%.txt=%)
NEWEST := $(lastword $(VERSIONS))
AIRFLOW ?= $(NEWEST)
CONSTRAINTS := $(lastword $(sort $(wildcard constraints/airflow-$(AIRFLOW)*.txt)))
ifeq ($(CONSTRAINTS),)
$(error AIRFLOW=$(AIRFLOW): there are constraints for $(VERSIONS))
endif
VERSION := $(CONSTRAINTS:constraints/airflow-%.txt=%)

# What the Compose file builds on, unless the environment names an image or asks for stand-ins.
ifndef STAND_INS
AIRFLOW_IMAGE ?= apache/airflow:$(VERSION)-python3.12
export AIRFLOW_IMAGE
endif

VENV := $(if $(filter $(NEWEST),$(VERSION)),.venv,.venv-$(VERSION))
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# The documentation has an environment of its own (pyproject.toml says why), with the newest Airflow.
DOCS := .venv-docs

ifneq ($(origin PYTHON),undefined)
# PYTHON names an interpreter: a .venv of another version is made again.
ASKED := $(shell $(PYTHON) -c 'import sys; print(sys.version_info[:3])' 2>/dev/null)
THERE := $(shell test -x $(BIN)/python && $(BIN)/python -c 'import sys; print(sys.version_info[:3])' 2>/dev/null)
ifneq ($(ASKED),$(THERE))
.PHONY: $(STAMP)
endif
endif
PYTHON ?= python3

# A target's group is the word in brackets before its text.
GROUPS := try=Try_it change=Change_it suites=Longer_suites write=Written_and_built_files
VARIABLES = \
	"ARGS=...|for pytest, the demo, the benchmarks: make test ARGS=\"tests/unit -k retry\", make demo ARGS=\"--speed 600\"" \
	"AIRFLOW=3.0|another version of Airflow: $(VERSIONS); $(NEWEST) by default" \
	"PYTHON=python3.13|another interpreter for .venv; python3 by default" \
	"ACCOUNT=... REGION=...|for verify-aws and verify-aws-clean, beside PART, YES, EXECUTION_ROLE, INSTANCE_PROFILE" \
	"STAND_INS=1|for compose-demo and test-compose: base images that were built here; AIRFLOW_IMAGE=... names another one"

help:  ## this page
	@for group in $(GROUPS); do \
		printf '\n%s\n' "$${group#*=}" | tr _ ' '; \
		sed -n "s/^\([a-z-]*\):.*## \[$${group%%=*}\] /\1|/p" Makefile | while IFS='|' read -r name text; do \
			printf '  make %-17s %s\n' "$$name" "$$text"; done; done
	@printf '\nVariables, before or after the target\n'
	@for variable in $(VARIABLES); do \
		printf '  %-22s %s\n' "$${variable%%|*}" "$${variable#*|}"; done
	@printf '\n'

demo: $(STAMP)  ## [try] bake a golden image with a real Airflow on this machine, and stop everything (about a minute)
	@$(BIN)/python -m airflow_imagebuilder.local.demo $(ARGS)

up: $(STAMP)  ## [try] the same, and stay with the UI until Ctrl-C
	@$(BIN)/python -m airflow_imagebuilder.local.demo --stay $(ARGS)

# What shares no server runs first, a process for each processor; then tests/integration, whose tests share one Airflow,
# and beside them those whose servers are their own; their output follows. None of these may need SIGINT, which a shell
# ignores in what it runs beside.
# With ARGS one process runs what they choose, so that -x, --pdb and -k are pytest's own; "-n 2" takes two.
# On an older Airflow only the unit tests run, unless ARGS names others.
# UNITS_PASSED is a file that is made once the first part has passed, for what waits until the processors are free.
PYTEST := $(BIN)/python -m pytest -m "not faults and not clients and not browser and not site and not dist"
PARALLEL := -n logical --maxprocesses=4 --dist=loadfile --no-loadscope-reorder
UNIT := $(if $(filter $(NEWEST),$(VERSION)),,$(if $(findstring tests/,$(ARGS)),,tests/unit))
SHARING := tests/integration
OWN := $(wildcard $(patsubst %,$(SHARING)/test_%.py,queues ui_access))
ALONE := $(wildcard $(patsubst %,$(SHARING)/test_%.py,testing* how_to_pages iam_policies)) $(filter-out $(SHARING)/ %/__pycache__/,$(wildcard tests/*/))
# Run two commands at once; the output of the first one follows. It does not hear Ctrl-C, so the shell ends it.
BOTH = log=$$(mktemp) && trap 'kill $$beside 2>/dev/null; rm -f "$$log"' EXIT && trap 'exit 130' INT TERM && \
	{ $(1) >"$$log" 2>&1 & } && beside=$$! && code=0 && { $(2) || code=$$?; } && \
	{ wait $$beside || code=$$?; } && beside= && cat "$$log" && exit $$code

test: $(STAMP)  ## [change] the whole suite: unit tests, then integration tests on real servers
ifneq ($(strip $(ARGS)),)
	@$(PYTEST) $(UNIT) $(ARGS)
else
	@$(PYTEST) $(PARALLEL) $(or $(UNIT),$(ALONE))
	@test -z "$(UNITS_PASSED)" || touch "$(UNITS_PASSED)"
ifeq ($(UNIT),)
	@$(call BOTH,$(PYTEST) $(OWN),$(PYTEST) $(SHARING) $(patsubst %,--ignore=%,$(OWN) $(filter $(SHARING)/%,$(ALONE))))
endif
endif

# Without ARGS three parts run at once, because they mostly wait: two with an Airflow of their own, and one that needs none.
# Their output follows.
FAULTS := $(BIN)/python -m pytest -m
OTHERS := $(patsubst %,tests/faults/test_%.py,repairs take_overs)

test-faults: $(STAMP)  ## [suites] the fault suite: servers killed in the middle of a bake
ifneq ($(strip $(ARGS)),)
	@$(FAULTS) faults tests/faults $(ARGS)
else
	@$(call BOTH,$(FAULTS) "faults and not airflow" tests/faults,( $(call BOTH,\
		$(FAULTS) "faults and airflow" $(OTHERS),\
		$(FAULTS) "faults and airflow" tests/faults $(OTHERS:%=--ignore=%)) ))
endif

# ACCOUNT and REGION must be given: nothing is sent without them (docs/local-image-builder.md).
VERIFY = $(BIN)/python -m tests.contract $(1) --account "$(ACCOUNT)" --region "$(REGION)" $(if $(YES),--yes)

verify-aws: $(STAMP)  ## [suites] the contract against AWS: ACCOUNT=... REGION=..., PART=cheap (default) or full; YES=1 does not ask
	@$(call VERIFY,verify) --part "$(or $(PART),cheap)" --execution-role "$(EXECUTION_ROLE)" \
		--instance-profile "$(INSTANCE_PROFILE)" $(ARGS)

verify-aws-clean: $(STAMP)  ## [suites] find what a killed make verify-aws has left in ACCOUNT and REGION, and remove it
	@$(call VERIFY,clean) $(ARGS)

coverage-page: $(STAMP)  ## [write] write docs/coverage.md again, from the code
	@$(BIN)/python -m tests.coverage_page

# Terraform and the folder of its AWS provider (TERRAFORM_PLUGINS) are not in a package index of Python or Node.
test-clients: $(STAMP)  ## [suites] clients that others wrote: the AWS CLI, the JavaScript SDK, Terraform's AWS provider
	@test -x .clients/aws/bin/aws || { $(PYTHON) -m venv .clients/aws && .clients/aws/bin/pip install -q awscli; }
	@test -d .clients/js/node_modules || ! command -v npm >/dev/null || \
		npm install --silent --no-fund --no-audit --prefix .clients/js @aws-sdk/client-imagebuilder
	@$(BIN)/python -m pytest -m clients tests/clients $(ARGS)

# Chromium and axe-core (from the packages of frontend/) are asked for; the suite fails with what is missing.
AXE = ! command -v npm >/dev/null || $(MAKE) --no-print-directory $(NODE_MODULES)

test-browser: $(STAMP)  ## [suites] the pages in a real Chromium, on a real Airflow; screenshots in build/screenshots
	@$(AXE)
	@$(BIN)/python -m pytest -m browser tests/browser $(ARGS)

# It clones this checkout into an empty folder and installs there, so it needs git, and takes no other AIRFLOW.
tutorial: $(STAMP)  ## [try] docs/tutorial.md, followed to the letter by a script; ARGS=--pictures takes its pictures again
	@$(BIN)/python -m tests.tutorial $(ARGS)

pictures: $(STAMP)  ## [write] take the pictures of README and docs again, from real runs
	@$(BIN)/python -m tests.browser.pictures $(ARGS)

matrix:  ## [suites] unit tests, a bake and kills on every version of Airflow; fills the table of docs/airflow-versions.md
	@$(MAKE) --no-print-directory install AIRFLOW=$(NEWEST)
	@.venv/bin/python -m tests.matrix $(VERSIONS)

compose-env:  ## [try] secrets and settings for docker-compose.yaml, into .env
	@sh docker/make-env.sh

compose-build: $(STAMP)  ## [write] build the images of docker-compose.yaml
	@$(BIN)/python -m tests.distributed.build_images

compose-demo: $(STAMP)  ## [try] the same bake on Docker: PostgreSQL, Redis, Celery, two schedulers and triggerers
	@$(BIN)/python -m airflow_imagebuilder.local.demo.compose $(ARGS)

test-compose: $(STAMP)  ## [suites] many images at once on Docker, and what is left of them when parts die
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c $(CONSTRAINTS) -e '.[compose]'
	@$(BIN)/python -m pytest -s tests/distributed $(ARGS)

# One state of the repository gives the same bytes everywhere: the tools are pinned, the time is that of the last commit.
dist: $(STAMP)  ## [write] build the wheel and the source distribution into dist/, and check what an index would refuse
	@rm -rf dist
	@SOURCE_DATE_EPOCH="$${SOURCE_DATE_EPOCH:-$$(git log -1 --format=%ct 2>/dev/null || echo 1580601600)}" \
		UV_DEFAULT_INDEX="$${UV_DEFAULT_INDEX:-$${PIP_INDEX_URL:-$$($(BIN)/python -m pip config get global.index-url 2>/dev/null)}}" \
		$(BIN)/uv build -q --no-create-gitignore --build-constraints $(CONSTRAINTS) --out-dir dist .
	@$(BIN)/python -m twine check --strict dist/*
	@cd dist && sha256sum *

# Two venvs from the wheel, on the oldest and the newest Airflow, and the unpacked source distribution, side by side.
test-dist: $(STAMP)  ## [suites] what is published: the wheel in empty venvs, with and without extras; the sdist tests and documents itself
	@$(BIN)/python -m pytest -m dist tests/distribution $(or $(ARGS),-n 3 --dist=loadgroup)

release-check: $(STAMP)  ## [write] whether TAG=vX.Y.Z names this version, and CHANGELOG.md has its date
	@$(BIN)/python -m tests.distribution.release check "$(TAG)"

release-notes: $(STAMP)  ## [write] print what CHANGELOG.md says of this version
	@$(BIN)/python -m tests.distribution.release notes

bench: $(STAMP)  ## [suites] the benchmarks
	@$(BIN)/python -m benchmarks $(ARGS)

# Offline, and a warning is an error: a page that names what does not exist is not built.
docs: $(DOCS)/.installed  ## [change] build the documentation site, into build/docs
	@$(DOCS)/bin/python -m sphinx --builder html --fail-on-warning --keep-going --quiet --jobs auto $(ARGS) docs build/docs
	@echo "The documentation: build/docs/index.html"

test-docs: $(STAMP) docs  ## [suites] build the site and crawl it: links, pictures, five pages in a real Chromium
	@$(BIN)/python -m pytest -m site tests/site

lint: $(STAMP)  ## [change] ruff: rules and format
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(STAMP)  ## [change] mypy, strict
	@$(BIN)/mypy

# The pages in Airflow's UI. Only who changes frontend/ needs Node.js (18 or newer): what is built is in the repository.
NODE_MODULES := frontend/node_modules/.package-lock.json
NPM := npm --prefix frontend

ui: node $(NODE_MODULES)  ## [write] build frontend/ into airflow_imagebuilder/ui/static
	@$(NPM) run --silent types
	@$(NPM) run --silent build

ui-check: node $(NODE_MODULES)  ## [change] types and tests of frontend/, and whether what is built matches it
	@$(NPM) run --silent types
	@$(NPM) run --silent test
	@$(NPM) run --silent check

node:  ## [write] whether the Node.js and npm are there that frontend/ needs
	@node -e 'process.exit(+(parseInt(process.versions.node) < 18))' 2>/dev/null && command -v npm >/dev/null || { \
		echo "frontend/ needs Node.js, 18 or newer, and npm; one of them is missing or older." >&2; \
		echo "On Debian and Ubuntu: apt-get install nodejs npm" >&2; exit 1; }

$(NODE_MODULES): frontend/package.json frontend/package-lock.json frontend/.npmrc | node
	@$(NPM) ci --loglevel=error --no-fund --no-audit || { \
		echo "npm could not install what frontend/package-lock.json names (its reason is above)." >&2; \
		echo "It asks the registry that this prints: npm config get registry" >&2; exit 1; }
	@touch $@

install: $(STAMP)  ## [change] fill .venv, which every other target does on first use

$(DOCS)/.installed: override VENV := $(DOCS)
$(DOCS)/.installed: override BIN := $(DOCS)/bin
$(DOCS)/.installed: override CONSTRAINTS := constraints/docs.txt
$(DOCS)/.installed: override VERSION := $(NEWEST) for the documentation
$(DOCS)/.installed: EXTRAS := docs,local
$(DOCS)/.installed: constraints/docs.txt

$(STAMP): $(CONSTRAINTS)
$(STAMP) $(DOCS)/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
		echo "$(PYTHON) is missing or older than 3.10; name another one: PYTHON=python3.12 make ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) cannot make virtual environments." >&2; \
		echo "On Debian and Ubuntu: apt-get install $$($(PYTHON) -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')" >&2; \
		exit 1; }
	@echo "Installing Airflow $(VERSION) into $(VENV), once: 20 seconds to two minutes, as fast as the package index"
	@$(PYTHON) constraints/install.py $(VENV) $(CONSTRAINTS) $(EXTRAS)
	@touch $@

EXTRAS := dev
UV_HTTP_TIMEOUT ?= 20
export UV_HTTP_TIMEOUT

constraints: $(STAMP)  ## [write] resolve constraints/ again, for every supported Python
	@UV=$(BIN)/uv sh constraints/resolve.sh $(VERSIONS)

clean:  ## [write] remove everything that was made here
	rm -rf .venv .venv-* .clients .demo build dist frontend/node_modules .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
