# make search   the main job end to end on the embedded digits; opens nothing, leaves results/notebooks/search_digits.ipynb
# make test     all tests        make lab   JupyterLab        make lint   style        make clean   remove the environment
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed

.PHONY: search test lab lint clean
.DELETE_ON_ERROR:

search: $(STAMP)
	@mkdir -p results/notebooks
	$(BIN)/papermill notebooks/search.ipynb results/notebooks/search_digits.ipynb -k python3
	@echo "Done: open results/notebooks/search_digits.ipynb, or run 'make lab'."

test: $(STAMP)
	$(BIN)/python -m pytest

lab: $(STAMP)
	$(BIN)/jupyter lab notebooks

lint: $(STAMP)
	$(BIN)/ruff check .

# The stamp is written last, so an interrupted installation is taken up again.
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python >= 3.11 is needed, $$($(PYTHON) --version) found. Name another with: make PYTHON=python3.12 ..."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
	  { echo "Could not make $(VENV). On Debian and Ubuntu: apt install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test]' || \
	  { echo "The installation failed (see above). A package index must be reachable; run the same command again to go on."; exit 1; }
	@touch $@

clean:
	rm -rf $(VENV) build *.egg-info
