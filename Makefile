# Two commands do everything on a fresh machine: `make demo` and `make test`.
# They need only Python 3.11 to 3.13, a C++ compiler and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CORES ?= $(shell $(PYTHON) -c "import os; print(os.cpu_count())")

.PHONY: demo test test-cluster test-library test-lowest bench lint docs environment lock envs clean

demo: environment  ## results/demo/miou.json and report.html, on the CPU, without downloading data
	$(BIN)/snakemake --cores $(CORES) -- results/demo/miou.json results/demo/report.html

test: environment  ## the whole test suite
	$(BIN)/python -m pytest

test-cluster: environment  ## the demo and its faults on a real Slurm of this machine; as root, with Debian's slurm and munge
	$(BIN)/python -m pytest -n 0 tests/cluster

test-library:  ## the README's library examples, in an environment with only the library
	uv=$$(command -v $(BIN)/uv uv | head -n 1); $$uv venv --clear --python $(PYTHON) .venv-library \
		&& $$uv pip install --python .venv-library/bin/python .
	.venv-library/bin/python -I tests/library_alone.py

test-lowest:  ## the library's tests with the lowest versions that pyproject.toml allows; not the workflow's
	uv=$$(command -v $(BIN)/uv uv | head -n 1); $$uv venv --clear --python $(PYTHON) .venv-lowest \
		&& $$uv pip install --resolution lowest-direct --python .venv-lowest/bin/python \
			'.[coco,crf,deeplab,sbd,dev]' 'tensorboard>=2.18'
	.venv-lowest/bin/python -m pytest

bench: environment  ## the benchmark tables, as ratios measured in one run
	$(BIN)/python -m benchmarks

lint: environment  ## ruff, mypy, snakefmt, and Snakemake's own linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/snakemake --lint

docs:  ## docs/settings.md and config/schema.json, from the fields of getam_core/settings/
	$(BIN)/python -m getam_core.settings.describe --page docs/settings.md --schema config/schema.json

environment: $(VENV)/made-from-lock  ## .venv, as pinned by the lock; CPU=1 leaves CUDA out
	@$(if $(CPU),grep -q cpu $< || echo "$(VENV) was made with CUDA and keeps it; for one without: rm -r $(VENV) && make environment CPU=1",:)

# pip installs uv, and uv the rest, in seconds where pip takes minutes. A new lock is installed over the
# old one, and other packages stay. The stamp is written last, so an interrupted installation starts
# again. PyPI's torch for Linux does not load without CUDA's packages; uv knows where to find the one
# for CPUs. Packages are compiled to bytecode once here: where Python may not write it, as in most containers
# (PYTHONDONTWRITEBYTECODE), every stage would compile torch and timm again, 10 s more each.
$(VENV)/made-from-lock: requirements.lock
	$(PYTHON) -c "import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v < (3, 14) else f'Python 3.11, 3.12 or 3.13 is needed, this is {v[0]}.{v[1]}: make PYTHON=python3.11')"
	$(BIN)/python -m uv --version > /dev/null 2>&1 || { $(PYTHON) -m venv --clear $(VENV) && $(BIN)/python -m pip install --quiet uv; }
	grep -vE '^($(if $(CPU),cuda-|nvidia-|triton=,$$))' requirements.lock | $(BIN)/uv pip install \
		--python $(BIN)/python --compile-bytecode $(if $(CPU),--torch-backend cpu) --requirements -
	echo $(if $(CPU),cpu,cuda) > $@

LOCKED := coco crf deeplab onnx sbd slurm workflow dev # not rembg: few runs need what it brings

lock:  ## resolve pyproject.toml again, for every platform
	$(BIN)/uv pip compile --universal --python-version 3.11 --upgrade --no-emit-index-url \
		--no-header --no-annotate $(LOCKED:%=--extra %) pyproject.toml -o requirements.lock

envs:  ## envs/getam.yaml, with the pins of requirements.lock
	$(BIN)/python envs/from_lock.py

clean:  ## what runs made; the environment stays
	rm -rf results .snakemake
