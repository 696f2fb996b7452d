# make demo: the whole pipeline on a simulated cohort.  make test: the tests.  Both make .venv where it is absent.
PYTHON ?= python3
BIN := .venv/bin
export MPLBACKEND := Agg

.PHONY: demo test lint format docs clean

demo: .venv/installed
	$(BIN)/snakemake --cores all
	@echo
	@echo "The report of the demo:            results/report.html"
	@echo "Models against the planted truth:  results/evaluation/models.tsv"
	@echo "Loci of the contrastive model:     results/models/contig/loci.tsv"
	@echo "Its Manhattan plot:                results/models/contig/plots/manhattan.png"

test: .venv/installed
	$(BIN)/python -m pytest

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint

format: .venv/installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflow

docs: .venv/installed
	$(BIN)/python docs/config_reference.py

.venv/installed: envs/constraints.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "contigwas needs Python 3.11 or later: make PYTHON=python3.11 demo")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint envs/constraints.txt --editable ".[demo,test]"
	touch $@

clean:
	rm -rf .venv .snakemake resources/demo results/[!R]*
