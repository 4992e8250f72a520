# `make` alone says what there is. Every target sets up what it needs, and does nothing that is done already.

PYTHON := .venv/bin/python
S2I := .venv/bin/s2i
READY := .venv/.ready

.PHONY: help demo test setup lint unit live golden bench-plan bench-build bench-apps bench-redeploy bench-jobs clean

help: ## Say what there is
	@echo "make TARGET"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' Makefile | awk -F'|' '{printf "  %-16s %s\n", $$1, $$2}'

demo: setup ## Set everything up, deploy fixtures/flask-hello, show its URL and its answer
	@$(S2I) doctor --fix
	@$(S2I) deploy fixtures/flask-hello/app --name flask-hello
	@$(PYTHON) scripts/demo.py flask-hello

test: lint unit live ## Run everything that CI runs: linters, unit and golden tests, live tests with a real engine

setup: $(READY) ## Make .venv with s2i in it

$(READY): pyproject.toml scripts/setup.sh
	@sh scripts/setup.sh
	@touch $(READY)

lint: setup ## Check format, lint, types, layers
	@echo "== lint"
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m mypy
	@.venv/bin/lint-imports

unit: setup ## Run the tests that need no Docker Engine
	@echo "== unit and golden tests"
	@$(PYTHON) -m pytest -q -m "not live" -n 2

live: setup ## Run the tests with a real Docker Engine, installed and started when there is none
	@echo "== live tests"
	@$(S2I) doctor --fix
	@$(PYTHON) scripts/live.py

golden: setup ## Write the golden plans and Dockerfiles of the fixtures anew
	@$(PYTHON) -m pytest -q tests/test_golden.py --update-golden

bench-plan: setup ## Measure `s2i plan`: a small app, 5,000 files, hostile trees
	@$(PYTHON) -m benchmarks.plan

bench-build: setup ## Measure `s2i build`, `deploy` and `--push` against Dockerfiles by hand
	@$(S2I) doctor --fix
	@$(PYTHON) -m benchmarks.build

bench-apps: setup ## Measure running apps: at rest, through the router, from zero, updates, scaling, 1,000 apps
	@$(S2I) doctor --fix
	@$(PYTHON) -m benchmarks.running

bench-redeploy: setup ## Redeploy an app 20 times under load and count what fails
	@$(S2I) doctor --fix
	@$(PYTHON) -m benchmarks.redeploy

bench-jobs: setup ## Measure job runs: tasks beside docker run, a thousand that wait, five hundred schedules
	@$(S2I) doctor --fix
	@$(PYTHON) -m benchmarks.jobs

clean: ## Remove .venv and caches (what s2i runs stays: `s2i server stop --all` ends that)
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis dist
