# "make help" lists what there is.  Nothing here needs a compiler.

PYTHON ?= python3
BIN := .venv/bin
WHEELS := --disable-pip-version-check --only-binary :all:
.DEFAULT_GOAL := help
.PHONY: .venv help demo test peers lint format types docs bench fuzz coverage package deb clean

help: ## this list
	@sed -n 's/^\([a-z.]*\):.*## /\1\t/p' Makefile | expand -t 12

.venv: .venv/made ## the virtual environment, with all that is needed from Python's index

# Debian keeps what makes virtual environments in a package of its own.
.venv/made: setup.py pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo 'This needs Python 3.11 or later: make PYTHON=python3.11 ..., for example' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || test -x $(BIN)/pip \
	  || { test -w /var/lib/dpkg && apt-get -qq update && apt-get -qq install python3-venv; } \
	  || { echo 'This needs python3-venv: sudo apt-get install python3-venv' >&2; exit 1; }
	@echo making .venv
	@test -x $(BIN)/pip || $(PYTHON) -m venv .venv
	@$(BIN)/pip install -qq $(WHEELS) --upgrade pip setuptools wheel
	@$(BIN)/pip install -qq $(WHEELS) --no-build-isolation --editable '.[dev,peers]'
	@touch $@

demo: .venv ## the gateway and a page that calls through it
	$(BIN)/twistd -n --pidfile= e2aegw -c tap-configs/demo.toml

test: .venv ## every test; those with real peers where "make peers" installed them
	$(BIN)/python -m tests

peers: .venv ## install the real peers that tests use (root, Debian)
	tests/peers/install.sh

lint: .venv ## style and spelling
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/codespell

format: .venv ## put the source into the one format
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

types: .venv ## mypy
	$(BIN)/mypy

docs: .venv ## the manual and the API's pages, in docs/_build/html
	$(BIN)/sphinx-build -q -W --keep-going -b html docs docs/_build/html
	$(BIN)/python docs/inventory.py docs/_build/others.inv
	$(BIN)/pydoctor -q -W --intersphinx-file docs/_build/others.inv::https:/ e2aegw
	@echo docs/_build/html/index.html

bench: .venv ## measure against rtpengine and write docs/benchmarks.md (root); PARTS="pairs handshakes" for some
	$(BIN)/python -m bench $(PARTS)

fuzz: .venv ## throw garbage at every parser; SECONDS=600 for each, or those of TARGETS="sctp sdp"
	$(BIN)/python -m tests.fuzz $(or $(SECONDS),60) $(TARGETS)

coverage: .venv ## which lines and branches the tests reach
	$(BIN)/coverage run -m tests
	$(BIN)/coverage combine -q
	$(BIN)/coverage report

package: .venv ## a wheel and a source archive, in dist/
	$(BIN)/python -m build --no-isolation

deb: ## a Debian package with a service, in dist/ (build-essential, debhelper, python3-pip, python3-venv)
	rm -rf build/deb
	mkdir -p build/deb/e2aegw dist
	cp -r Dockerfile LICENSE README.rst debian docs e2aegw pyproject.toml setup.py tap-configs twisted build/deb/e2aegw
	cd build/deb/e2aegw && dpkg-buildpackage --no-sign --build=binary
	mv build/deb/e2aegw_*.deb dist

clean: ## remove what make made
	rm -rf .venv build dist *.egg-info docs/_build _trial_temp* .coverage* .hypothesis .mypy_cache .ruff_cache
