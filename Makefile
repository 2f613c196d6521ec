# make demo       simulate two plates, run the whole workflow on them, compare with the truth
# make test       run the tests
# make pictures   the pictures of README.md again, from the demo (needs Chromium)
# make options    write docs/options.md from the schemas
PYTHON ?= python3
BIN := .venv/bin
SNAKEMAKE := $(BIN)/snakemake
READY := .venv/.ready

.PHONY: demo test pictures options lint format clean

demo: $(READY)
	@$(BIN)/python scripts/simulate_demo.py --out demo --seed 1
	@$(SNAKEMAKE) --configfile config/examples/demo-plate.yaml -- all
	@$(SNAKEMAKE) --configfile config/examples/demo-movie.yaml -- all
	@$(BIN)/python scripts/compare_demo.py --demo demo --results results

# compiled once: processes of tests may write no compiled files, and would compile again each time
test: $(READY)
	@$(BIN)/python -m compileall -q cellpipe
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --maxprocesses 8 --dist loadfile \
		--no-loadscope-reorder

pictures: demo
	$(BIN)/python scripts/make_pictures.py --results results --out docs/pictures

options: $(READY)
	$(BIN)/python scripts/write_options.py

lint: $(READY) .venv-lint/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	.venv-lint/bin/snakefmt --check Snakefile rules
	$(BIN)/python scripts/simulate_demo.py --out demo --seed 1 # the sheet's folders must be there
	$(SNAKEMAKE) --configfile config/examples/demo-plate.yaml --lint

format: $(READY) .venv-lint/.ready
	$(BIN)/ruff format .
	.venv-lint/bin/snakefmt Snakefile rules

# torch first and alone: an open range in another package would pull gigabytes of CUDA
$(READY): requirements.lock requirements-dev.lock pyproject.toml
	@echo "Setting up .venv (once; a few minutes)"
	$(PYTHON) -c 'import sys; sys.exit("cellpipe needs Python 3.11 or later, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet torch==2.13.0
	$(BIN)/python -m pip install --quiet --requirement requirements.lock \
		--requirement requirements-dev.lock
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	@touch $(READY)

# snakefmt wants another click than the rest
.venv-lint/.ready:
	$(PYTHON) -m venv .venv-lint
	.venv-lint/bin/python -m pip install --quiet snakefmt==2.1.0
	@touch $@

clean:
	rm -rf results demo .snakemake
