# Two commands: `make lab` to try it, `make test` for everything that CI checks.

PYTHON ?= python3
VENV ?= .venv
PORT ?= 8888
LAB_ARGS ?=
SCALE ?= 1
BENCH_ARGS ?=

BIN := $(VENV)/bin
DEMO := .demo
BENCH := .bench
SOURCES := pyproject.toml Makefile $(shell find jupyter_dvmount fuse jupyter-config labextension \
  \( -name node_modules -o -name lib -o -name __pycache__ -o -path jupyter_dvmount/labextension \) -prune \
  -o -type f -print)
AS_ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)

export YARN_ENABLE_TELEMETRY := 0
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PATH := $(CURDIR)/$(BIN):$(PATH)

# Puts the demo's commands onto the demo's own store; the directory of the clone may have any name.
AT_DEMO := DVMOUNT_STORE=$$(python -c 'from pathlib import Path; print(Path("$(DEMO)/store").absolute().as_uri())') \
  DVMOUNT_STATE="$$PWD/$(DEMO)/state" DVMOUNT_ROOT="$$PWD/$(DEMO)/dvmount"

.DEFAULT_GOAL := help
.PHONY: help lab test lint test-s3 test-python test-typescript test-ui bench clean toolchain

help:
	@echo "make lab    build and open JupyterLab on the demo notebook, with sample data in $(DEMO)/"
	@echo "make test   all checks: Python, TypeScript, browser"
	@echo "make test-s3  the tests of stores on S3 against Ceph's radosgw, which it installs"
	@echo "make bench  measure against restic, borg, dvc, rclone and cp and fill in the tables; SCALE=0.02 only tries it"
	@echo "make clean  remove everything that these commands made"

toolchain:
	@command -v $(PYTHON) >/dev/null || { echo "error: $(PYTHON) is missing. Install with: sudo apt-get install -y python3 python3-venv" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "error: Python 3.10 or newer is needed, $(PYTHON) is older. Say which to use: make PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "error: Python's venv module is missing. Install with: sudo apt-get install -y python3-venv" >&2; exit 1; }
	@node -e 'process.exit(parseInt(process.versions.node) >= 20 ? 0 : 1)' 2>/dev/null || { echo "error: Node.js 20 or newer is needed (it builds the panel). Install it from https://nodejs.org/en/download" >&2; exit 1; }

# An ordinary installation, as users have it.
$(VENV)/.lab: $(SOURCES) | toolchain
	@tools/require fusermount3=fuse3
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	rm -rf jupyter_dvmount/labextension
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet '.[demo]'
	rm -f $(VENV)/.test
	touch $@

lab: $(VENV)/.lab
	mkdir -p $(DEMO)
	cp binder/demo.ipynb $(DEMO)/
	export $(AT_DEMO) && python binder/load_sample.py && \
	cd $(DEMO) && exec jupyter lab $(AS_ROOT) --port=$(PORT) $(LAB_ARGS) demo.ipynb

# An editable installation with the tests' own libraries; source changes show at once.
$(VENV)/.test: pyproject.toml labextension/package.json labextension/yarn.lock | toolchain
	@tools/require fusermount3=fuse3 chromium,chromium-browser,google-chrome=chromium fc-list=fontconfig \
	  /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf=fonts-dejavu-core \
	  '/usr/lib/postgresql/*/bin/initdb=postgresql' bwrap=bubblewrap podman=podman runc,/usr/sbin/runc=runc catatonit=catatonit /usr/share/doc/busybox-static=busybox-static
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[test,demo]'
	rm -f $(VENV)/.lab
	touch $@

test: lint test-typescript test-python test-ui

lint: $(VENV)/.test
	ruff check .
	ruff format --check .
	mypy
	lint-imports

# The suite of stores on S3 against Ceph's gateway instead of moto. Not part of `make test`: it takes 300 MB of packages.
test-s3: $(VENV)/.test
	@tools/require radosgw=radosgw ceph-mon=ceph-mon ceph-osd=ceph-osd ceph-mgr=ceph-mgr
	tests/services/radosgw python -m pytest tests/integration/store/test_store_blobs.py \
	  tests/integration/store/test_s3_blobs.py tests/integration/store/test_s3_store.py

test-typescript: $(VENV)/.test
	cd labextension && jlpm install --immutable && jlpm lint:check && jlpm test

test-python: $(VENV)/.test
	python -m pytest

test-ui: $(VENV)/.test
	cd labextension && jlpm install --immutable && jlpm build:prod
	jupyter-builder develop --overwrite .
	cd tests/ui && jlpm install --immutable && jlpm test

# Peers that cannot be installed are left out of the table. dvc has an environment of its own: its
# dependencies are not ours. The documents only show full runs.
$(BENCH)/peers: | toolchain
	$(PYTHON) -m venv $@
	-$@/bin/python -m pip install --quiet dvc

bench: $(VENV)/.test $(BENCH)/peers
	-@tools/require restic=restic borg=borgbackup rclone=rclone
	PATH="$$PATH:$(CURDIR)/$(BENCH)/peers/bin" python -m tests.benchmarks --scale $(SCALE) \
	  $(if $(filter 1,$(SCALE)),--result docs/benchmarks.json) $(BENCH_ARGS)
	$(if $(filter 1,$(SCALE)),python -m tests.benchmarks.documents)

clean:
	if [ -d $(DEMO)/state ] && $(BIN)/python -c 'import jupyter_dvmount' 2>/dev/null; then \
	  export $(AT_DEMO) && python tools/end_background.py; fi
	rm -rf $(DEMO) $(BENCH) $(VENV) build dist jupyter_dvmount/labextension
	rm -rf labextension/node_modules labextension/lib labextension/tsconfig.tsbuildinfo tests/ui/node_modules
