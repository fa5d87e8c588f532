# make serve: read the site.  make test: run everything that must pass.  make help: the rest.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
# One process more than there are cores: now and then each waits for a browser, or for a limit to pass.
JOBS := $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
export NO_MKDOCS_2_WARNING := 1

.PHONY: help serve site test record check compat mutation benchmark clean

help:
	@echo "make serve    read the site at http://127.0.0.1:8000 while you write"
	@echo "make test     run every program, every test of the machinery, and the browser tests"
	@echo "make site     build the site into site/"
	@echo "make record   run every program and every tutorial, and write what they did"
	@echo "make check    say which records are stale or missing; nothing runs"
	@echo "make compat   run every program with the oldest, a middle and the newest torch (6 GB each), and write what they did"
	@echo "make mutation   change programs and machinery a little, and see whether their tests notice"
	@echo "make benchmark  measure what this costs: against notebooks, against plain pages, by number of snippets"
	@echo "make clean    remove what the other commands made"

# The stamp is newer than what it was made from: a second call installs nothing.
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Torchproof needs Python 3.11 or newer; $(PYTHON) is older. Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "Installing torch and the tools into .venv (about 6 GB, once)"
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --progress-bar off --constraint constraints.txt --editable '.[programs,tutorials,site,test]'
	@touch $@

serve: $(STAMP)
	$(BIN)/torchproof serve

site: $(STAMP)
	@$(BIN)/torchproof publish
	$(BIN)/mkdocs build --strict
	@$(BIN)/torchproof finish site

test: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/torchproof check
	$(BIN)/pytest -n $(JOBS) --dist loadscope --no-loadscope-reorder -p randomly snippets tests
	$(BIN)/pytest --nbval -n $(JOBS) --dist loadscope tutorials

record: $(STAMP)
	$(BIN)/pytest -n auto snippets --device cpu --record
	$(BIN)/torchproof notebook --again

# Not part of `make test`: these take minutes to an hour, and belong on a quiet machine.
compat: $(STAMP)
	@$(BIN)/torchproof compat

mutation: $(STAMP)
	$(BIN)/python -m tests.mutation.snippets
	$(BIN)/python -m tests.mutation.machinery

benchmark: $(STAMP)
	$(BIN)/python tests/benchmarks/compare.py
	$(BIN)/python tests/benchmarks/scale.py

check: $(STAMP)
	@$(BIN)/torchproof check

clean:
	rm -rf .venv .compat .torchproof_cache site docs/programs docs/tutorials
