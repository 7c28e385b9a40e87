# make search   the main job end to end on embedded images: results/notebooks/search_cluttered_digits.ipynb
# make test     all tests, two at a time: minutes       make lint    style and types      make lab    JupyterLab
# make paper-smoke   every notebook on little data, in minutes: results/smoke/notebooks/report.ipynb
# make laptop   the paper's searches, tables, figures and claims at a size for two cores, in hours; make laptop ARGS=-n lists the jobs
# make paper    every table and figure of the paper, for a GPU; make table1 ... table6, figure1 ... figure5 one of them
# make dag      what stands on what: results/figures/dag.png
# make report  every number beside the paper's, from all finished runs: results/notebooks/report.ipynb, and what README.md (with its picture) and docs/claims.md quote
# make site    the executed notebooks as pages that a browser opens: site/index.html
# make soak     the long reliability campaign: results/soak/counts.csv; a part of it: make soak ARGS="kill --of search --count 20"
# make clean    remove the environment and what builds and tests left; results stay
# Another Python:  make search PYTHON=python3.12        Other parameters:  make search ARGS='-p seed 1'
PYTHON ?= python3
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed
# Python compiles a module when it is first imported; pip would compile all of them, most of which nothing here imports.
INSTALL := $(BIN)/python -m pip --disable-pip-version-check --require-virtualenv install --quiet --no-compile --constraint constraints.txt
SNAKEMAKE := $(BIN)/snakemake
WORKFLOW := $(VENV)/workflow
TARGETS := table1 table2 table3 table4 table5 table6 figure1 figure2 figure3 figure4 figure5 proposition1 budgets timing
GPUS = $(shell nvidia-smi -L 2>/dev/null | grep -c '^GPU')
# Is the environment one: with its own pip, and not half made, when its Python would be the machine's own?
WHOLE := $(BIN)/python -c 'import pip, sys; sys.exit(sys.prefix == sys.base_prefix)'
# The environment's own kernel, whatever kernels of the same name the user's account has.
export JUPYTER_PREFER_ENV_PATH := 1
search test soak report paper-smoke laptop paper $(TARGETS): export JUPYTER_PATH :=

.PHONY: search test soak lint lab site report clean workflow paper-smoke laptop paper dag $(TARGETS)

search: $(STAMP)
	@mkdir -p results/notebooks
	$(BIN)/papermill notebooks/search.ipynb results/notebooks/search_cluttered_digits.ipynb -k python3 $(ARGS)
	@echo "Done: open results/notebooks/search_cluttered_digits.ipynb, for instance with 'make lab'."

# Hundreds of processes import the project: they need not compile it each time.
test: $(STAMP)
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest --numprocesses 2 --dist worksteal $(ARGS)

soak: $(STAMP)
	$(BIN)/python -m tests.reliability $(ARGS)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/mypy

lab: $(STAMP)
	$(BIN)/jupyter lab $(ARGS)

paper-smoke: $(WORKFLOW)
	$(SNAKEMAKE) smoke $(ARGS)
	@echo "Done: open results/smoke/notebooks/report.ipynb, for instance with 'make lab'."

laptop: $(WORKFLOW)
	@$(BIN)/python -m drnas_lib.collection.workflow.laptop $(ARGS)

# As many jobs that compute as there are GPUs; without one, as there are cores.
paper $(TARGETS): $(WORKFLOW)
	$(SNAKEMAKE) $@ $(patsubst %,--resources gpu=%,$(filter-out 0,$(GPUS))) $(ARGS)

dag: $(WORKFLOW)
	$(SNAKEMAKE) $(TARGETS) results/notebooks/report.ipynb --forceall --dag dot | \
	  $(BIN)/python -m drnas_lib.collection.workflow.picture results/figures/dag.png

# Snakemake, which nothing but the targets above needs.
workflow: $(WORKFLOW)

$(WORKFLOW): $(STAMP)
	@$(INSTALL) --no-build-isolation --editable '.[workflow]' || \
	  { echo "Snakemake could not be installed, as said above. Each notebook still runs by itself, with papermill."; exit 1; }
	@touch $@

report: $(STAMP)
	$(BIN)/papermill notebooks/report.ipynb results/notebooks/report.ipynb -k python3
	$(BIN)/python -m drnas_lib.collection.workflow.readme

site: $(STAMP)
	@$(INSTALL) --no-build-isolation --editable '.[site]' || echo "pdoc could not be installed, as said above: the site has no API pages."
	$(BIN)/python -m drnas_lib.collection.site $(ARGS)

# The stamp is written last, so that an interrupted installation is taken up again. Without build isolation, because an
# environment that has everything already must need no network.
$(STAMP): pyproject.toml constraints.txt
	@command -v $(PYTHON) >/dev/null || \
	  { echo "There is no $(PYTHON) here. Name a Python >= 3.11 with: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python >= 3.11 is needed; $(PYTHON) is $$($(PYTHON) --version). Name another with: make PYTHON=python3.12 ..."; exit 1; }
	@$(WHOLE) 2>/dev/null || $(PYTHON) -m venv --clear $(VENV) || \
	  { echo "Could not make $(VENV). On Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@echo "Installing into $(VENV); the first time takes minutes."
	@{ $(INSTALL) setuptools && \
	  $(INSTALL) --no-build-isolation --editable '.[test]'; } || \
	  { echo "The installation failed, as said above. It needs a package index; run the same command again to go on."; exit 1; }
	@touch $@

clean:
	rm -rf $(VENV) build site *.egg-info .pytest_cache .ruff_cache .mypy_cache .hypothesis .snakemake
	find drnas_lib tests -name __pycache__ -prune -exec rm -rf {} +
