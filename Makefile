# All set-up happens by itself; `make help` lists the targets.

ARGS ?=
WORKERS ?= auto
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest
# The stamp, and not .venv, says that set-up was finished with these versions.
INSTALLED := .make/installed

# Thousands of processes would each compile all modules.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install demo test check format bench soak conformance constraints clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(INSTALLED) ## make .venv with .venv/bin/lockgate

$(INSTALLED): pyproject.toml constraints.txt
	@tools/install

demo: $(INSTALLED) ## move a live database in front of your eyes (ARGS="--scale 0.1")
	@$(BIN)/lockgate demo $(ARGS)

test: $(INSTALLED) ## run all tests in parallel (WORKERS=4, ARGS="-k plan")
	$(PYTEST) -n $(WORKERS) --dist worksteal $(ARGS)

check: $(INSTALLED) ## formatting, lint rules and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(INSTALLED) ## format the code and mend what the lint rules can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(INSTALLED) ## measure, and say where the results are (ARGS as the benchmarks take them)
	$(BIN)/python -m benchmarks $(ARGS)

soak: $(INSTALLED) ## run the tests that take minutes
	$(PYTEST) --soak -m "soak or sampled" $(ARGS)

conformance: $(INSTALLED) ## ask the real other migration tools (got from their registries, and kept in ~/.cache)
	$(PYTEST) tests/conformance $(ARGS)

constraints: ## pin the newest versions that pyproject.toml allows
	tools/constraints

clean: ## remove everything that make made, .venv too
	rm -rf .venv .make build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find src tests systems benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
