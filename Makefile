# make demo: the whole workflow on a simulated cohort.  make test: the tests.  make site: the documentation site.
# Each of them creates the environment that it needs.
PYTHON ?= python3
BIN := .venv/bin
export MPLBACKEND := Agg

# the tests of SLURM mostly wait, so two processes pay even on two cores
TEST_PROCESSES ?= 2

# the validator's pandas has no wheels beyond Python 3.11
SSF_PYTHON ?= $(shell command -v python3.11 || echo $(PYTHON))

.PHONY: demo test test-rest test-all lint format docs site validator clean

demo: .venv/installed
	$(BIN)/snakemake --cores all
	@echo
	@echo "The report of the demo:            results/report.html"
	@echo "Comparison of the models:          results/evaluation/models.tsv"
	@echo "Loci of the contrastive model:     results/models/contig/loci.tsv"
	@echo "Its Manhattan plot:                results/models/contig/plots/manhattan.png"

PYTEST = $(BIN)/python -m pytest --numprocesses $(TEST_PROCESSES) --dist loadgroup --no-loadscope-reorder
REST := slow or oracle or browser or slurm

# in minutes: units, oracles that need no program, dry runs of every config, a small study from end to end
test: .venv/installed
	$(PYTEST) -m "not ($(REST))"

# what `make test` leaves out: oracle programs, a browser, SLURM, more runs
test-rest: .venv/installed
	$(PYTEST) -m "$(REST)"

test-all: .venv/installed
	$(PYTEST)

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check workflow
	$(BIN)/snakemake --lint

format: .venv/installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt workflow

docs: .venv/installed
	$(BIN)/python docs/config_reference.py
	$(BIN)/python docs/reruns.py
	$(BIN)/python docs/rulegraph.py

# The site needs MkDocs only, so it has an environment of its own. Broken links are errors (strict in mkdocs.yml).
site: .venv-docs/installed
	NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build
	@echo "The documentation site: site/index.html. Its search needs a web server: $(PYTHON) -m http.server --directory site"

.venv-docs/installed: envs/docs.txt
	$(PYTHON) -m venv .venv-docs
	.venv-docs/bin/python -m pip install --quiet --no-deps --requirement $<
	touch $@

.venv/installed: envs/constraints.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "contigwas needs Python 3.11 or later: make PYTHON=python3.11 demo")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint envs/constraints.txt --editable ".[demo,mgi,test]"
	touch $@

# the GWAS Catalog's validator and LDSC's munge_sumstats, which the tests of the export run where they are
validator: .venv-ssf/installed

.venv-ssf/installed: envs/gwas-sumstats-tools.txt
	$(SSF_PYTHON) -c 'import sys; sys.exit(sys.version_info >= (3, 12) and "the validator needs Python 3.11: make SSF_PYTHON=python3.11 validator")'
	$(SSF_PYTHON) -m venv .venv-ssf
	.venv-ssf/bin/python -m pip install --quiet --no-deps --requirement $<
	touch $@

clean:
	rm -rf .venv .venv-docs .venv-ssf site .snakemake resources/demo results/[!R]*
