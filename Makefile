# `make help` lists the targets. They need Python 3.11 or newer, pip and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help setup demo test check light golden kodak clean

help:  ## List the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

setup: $(VENV)/.installed  ## Make .venv with all that development needs

$(VENV)/.installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

demo: $(VENV)/.demo  ## A real photograph through compress, info, decompress, with the light install
	$(BIN)/python tools/demo.py

$(VENV)/.demo: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

test: setup  ## Run the tests in two processes (about four minutes on two cores)
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal

check: setup  ## Lint and check types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

light:  ## Prove that the core install brings no torch and stays small
	$(PYTHON) tools/check_light_install.py

golden: setup  ## Write golden files for new weights or a new format version; existing ones are never replaced
	$(BIN)/python tools/make_golden.py

kodak: setup  ## The rate-distortion benchmark on a folder: make kodak KODAK=DIR
	@test -n "$(KODAK)" || { echo "make kodak KODAK=DIR, the folder with the 24 images"; exit 2; }
	PYTHON=$(BIN)/python benchmarks/run_kodak $(KODAK) --jobs 2

clean:  ## Remove the virtual environment and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
