# Two commands: `make demo` sets everything up and restores a photo; `make test` sets everything up and tests it.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo test test-slow test-data test-gpu test-page test-ray fuzz soak audit package docs format graphs clean train train-status train-stop train-pause train-resume train-cooldown

demo: $(VENV)/installed
	$(BIN)/undegrade restore examples/dog-noisy.png -o restored

test: $(VENV)/installed-dev $(VENV)/audited
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest -n auto --dist worksteal

audit: $(VENV)/installed-dev
	$(BIN)/python tools/audit.py

test-slow: $(VENV)/installed-dev
	$(BIN)/pytest -m 'slow or hypothesis' --hypothesis-profile=searching

test-data: $(VENV)/installed-dev
	UNDEGRADE_DATA=$(DATA) $(BIN)/pytest -m data

test-gpu: $(VENV)/installed-dev
	$(BIN)/pytest -m gpu

# The page in the system's chromium (apt-get install chromium).
test-page: $(VENV)/installed-dev
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[page]'
	$(BIN)/pytest -m page tests/serve

# A Ray cluster of two workers on this machine, and a server that speaks S3.
test-ray: $(VENV)/installed-dev
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[ray-test]'
	$(BIN)/pytest -m ray tests/cluster

fuzz: MINUTES ?= 10
fuzz: $(VENV)/installed-dev
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[fuzz]'
	$(BIN)/python fuzz/fuzz_image.py -max_total_time=$$(( 30 * $(MINUTES) ))
	$(BIN)/python fuzz/fuzz_records.py -max_total_time=$$(( 30 * $(MINUTES) ))

# Random files, kills, full disks and signals against the real command.
soak: MINUTES ?= 30
soak: $(VENV)/installed-dev
	$(BIN)/python fuzz/soak.py --minutes $(MINUTES)

# The site in site/, from docs/, the docstrings and the notebook, whose cells run; a broken link or name is an error.
docs: $(VENV)/installed-docs
	$(BIN)/python examples/notebook.py --page build/notebook.md
	$(BIN)/zensical build --strict --clean

# sdist and wheel in dist/, the wheel made from the sdist; installed in an empty environment it restores the example.
# For a release, ADDRESS=https://HOST/OWNER/NAME is the public repository: README's links and the project's URLs get it.
package:
	rm -rf dist build/tools build/empty build/restored build/source
	$(PYTHON) -m venv build/tools
	build/tools/bin/pip install --quiet --disable-pip-version-check build
	build/tools/bin/python tools/package.py build/source $(ADDRESS)
	build/tools/bin/python -m build --outdir dist build/source
	$(PYTHON) -m venv build/empty
	build/empty/bin/pip install --quiet --disable-pip-version-check dist/*.whl
	cd build && empty/bin/undegrade models && empty/bin/undegrade restore ../examples/dog-noisy.png -o restored

# The relay of training/queue.toml: UNDEGRADE_TRAIN_DATA and UNDEGRADE_VAL_DATA name the images; see docs/relay.md.
train: $(VENV)/installed
	@$(BIN)/python training/relay.py check  # before PyTorch is installed
	@$(MAKE) --no-print-directory $(VENV)/installed-train
	$(BIN)/python training/relay.py start

train-status train-stop train-pause train-resume: $(VENV)/installed
	$(BIN)/python training/relay.py $(@:train-%=%)

train-cooldown: MINUTES ?= 30
train-cooldown: $(VENV)/installed
	$(BIN)/python training/relay.py cooldown --minutes $(MINUTES)

# The ONNX graphs of the networks, without weights; after a change of the networks.
graphs: $(VENV)/installed-dev
	$(BIN)/python tools/graphs.py

format: $(VENV)/installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -e .
	touch $@

$(VENV)/installed-train: $(VENV)/installed
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[train]'
	touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@

$(VENV)/audited: $(VENV)/installed-dev
	$(BIN)/python tools/audit.py
	touch $@

$(VENV)/installed-docs: $(VENV)/installed
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[docs]'
	touch $@

clean:
	rm -rf $(VENV) build dist restored site .cache src/*.egg-info
