# One command for each check. `make` lists them.
BIN := .venv/bin
SHELL := bash
export PIP_CONSTRAINT := $(CURDIR)/constraints.txt

.PHONY: help install test quick lint format types floors check samples goldens man pictures bench fuzz deep mutants crash

help: ## list these commands
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | expand -t 10

install: ## make .venv with everything that development needs
	python3 -m venv .venv
	$(BIN)/pip install -q -e '.[dev]'

test: ## run all tests
	$(BIN)/pytest -n auto

quick: ## run the tests that take less than a minute together
	$(BIN)/pytest -n auto -m "not slow"

lint: ## check style and line length, without changing anything
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: ## format, and mend what can be mended
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: ## check types
	$(BIN)/mypy

floors: ## check the import contracts
	$(BIN)/lint-imports

check: ## run everything that CI runs
	.ci/run

samples: ## write sample_logs again, after a change of the simulation
	rm -r sample_logs
	$(BIN)/python -m detector.simulate sample_logs

goldens: ## write the text goldens of all screens again; read the difference
	UPDATE_GOLDENS=1 $(BIN)/pytest -n auto tests/tui

man: ## write the manual page again, after a change of a command
	$(BIN)/python -m docs.man_page

pictures: ## draw the documentation's pictures again, after a change of a screen
	$(BIN)/python -m docs.screenshots

bench: ## measure, as ratios
	$(BIN)/python -m benchmarks

fuzz: ## fuzz one target: make fuzz TARGET=formats (or esql, kql, safe)
	$(BIN)/pip install -q -e '.[fuzz]'
	$(BIN)/python -m fuzz $(TARGET)

deep: ## try the properties with other examples, ROUNDS times (20)
	for round in $$(seq $${ROUNDS:-20}); do $(BIN)/pytest -n auto -m property --hypothesis-seed=$$RANDOM || exit 1; done

mutants: ## change one place at a time of what a release must not break: make mutants OF='detector.text*'
	$(BIN)/pip install -q -e '.[test,mutation]'
	CI=true $(BIN)/python .ci/mutants.py run $(if $(OF),"$(OF)",)
	$(BIN)/python .ci/mutants.py results

crash: ## kill one state two hundred times
	$(BIN)/python -m tests.crash
