# Every target makes the environment first, when it is missing or older than the lock.
#   make strong-scaling PROTOCOL=paper ARGS="workers=1,2,4 strategy=p2"

PYTHON   ?= python3
PROTOCOL ?= quick
ARGS     ?=
KILLS    ?= 1000
FOLDER   ?=
export FOLDER

VENV  := .venv
PY    := $(VENV)/bin/python
READY := $(VENV)/.installed
CODE  := augment examples experiments hydra_plugins tests augmentation_scaling.py run.py

REFERENCE := results/reference/amd-epyc-2cpus
RESULTS := $(or $(patsubst results_dir=%,%,$(lastword $(filter results_dir=%,$(ARGS)))),results)
report   = $(PY) -m experiments.report --results $(RESULTS)

# Runs experiment $(1), reports also what a sweep with failed cells measured, and
# keeps the sweep's exit code.
sweep = $(PY) run.py experiment=$(1) protocol=$(PROTOCOL) $(ARGS); swept=$$?; \
	$(report) --experiment $(1); reported=$$?; \
	exit $$((swept ? swept : reported))

.DEFAULT_GOAL := help
.PHONY: help install test test-all check advise report docs strong-scaling weak-scaling validation saver-tuning diagnose interference ablation calibrate simulate coverage bench aa whole reliability figures reference measure-reference schema lock clean

help:  ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  PROTOCOL=quick   smoke (seconds), quick (minutes, default) or paper (the study's, hours)"
	@echo "  FOLDER=photos    a folder of images for advise; without one, checkerboards"
	@echo "  KILLS=1000       the sweeps that reliability kills at random moments"
	@echo "  ARGS=            further overrides of a sweep, such as ARGS=\"workers=1,2 seed=1\""
	@echo "  PYTHON=python3   the Python (3.11 or newer) that .venv is made with"

install: $(READY)  ## Make .venv with the locked packages (other targets do so by themselves)

# The stamp comes last, so that an interrupted installation starts afresh.
$(READY): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, $(PYTHON) is " + sys.version.split()[0])'
	$(PYTHON) -m venv --clear $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

test: $(READY)  ## Run the tests except the slow ones (minutes)
	$(PY) -m pytest -n auto -m "not slow"

test-all: $(READY)  ## Run all tests
	$(PY) -m pytest -n auto

check: $(READY)  ## Check format, style, types, imports between packages and how docstrings begin
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	@! grep -rnE '^ *"{3}(What|Of|Whether|Where|Those|Who|Whose|How) ' --include=*.py $(CODE) || { echo 'begin a docstring with a verb or a noun phrase'; exit 1; }
	$(PY) -m mypy
	$(VENV)/bin/lint-imports

advise: $(READY)  ## Find the best strategy and worker count for the images in FOLDER (three minutes)
	@$(PY) run.py experiment=advise $(if $(FOLDER),dataset=folder 'dataset.path=$${oc.env:FOLDER}') $(ARGS)

strong-scaling: $(READY)  ## Measure equal work on more workers; write tables and figures
	@$(call sweep,strong_scaling)

weak-scaling: $(READY)  ## Measure work that grows with the workers; write tables and figures
	@$(call sweep,weak_scaling)

validation: $(READY)  ## Compare the outputs of the study's strategies on real photos
	@$(call sweep,validation)

saver-tuning: $(READY)  ## Measure P_Q with different numbers of savers
	@$(call sweep,saver_tuning)

diagnose: $(READY)  ## Find what stops the study's strategies: ceiling, neighbours, policies
	@$(call sweep,diagnose)

interference: $(READY)  ## Measure how neighbours slow a task down: cores, memory or pages
	@$(call sweep,interference)

ablation: $(READY)  ## Change one policy at a time and measure the time that it saves
	@$(call sweep,ablation)

calibrate: $(READY)  ## Plant known causes of lost time and count what the verdict names
	@$(PY) -m experiments.calibration --results $(RESULTS)

simulate: $(READY)  ## Test advise on 200 simulated machines whose truth is known (minutes)
	@$(PY) -m experiments.calibration.simulated_machine

coverage: $(READY)  ## Count how often every printed interval holds the truth on simulated machines (ten minutes)
	@$(PY) -m experiments.calibration.coverage

bench: $(READY)  ## Compare all strategies and other executors with the machine's ceiling (hours)
	@$(call sweep,bench)

aa: $(READY)  ## Compare identical code with itself; 19 of 20 intervals should contain 0
	@$(call sweep,aa)

whole: $(READY)  ## Compare whole commands, from start to end, with a plain script and with limits (20 minutes)
	@$(PY) -m tests.whole $(ARGS)

reliability: $(READY)  ## Inject every fault twenty times into each strategy, kill sweeps KILLS times (two hours)
	FAULTS=20 $(PY) -m pytest tests/test_faults.py
	$(PY) -m tests.kills $(KILLS)

report: $(READY)  ## Write one page of all results: report/index.html
	@$(PY) -m experiments.report --page --results $(RESULTS)

docs: $(READY)  ## Build the documentation: site/index.html
	@NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --strict --quiet

figures: $(READY)  ## Rebuild all tables and figures from the stored rows
	$(report)

# Charts of few colours take a third of the space with a palette.
reference: $(READY)  ## Rebuild the tables of results/reference, the charts of docs/figures and what README and docs quote
	$(PY) -m experiments.report --results $(REFERENCE)
	@cd docs/figures && for chart in */*.png; do ../../$(PY) -c 'import sys; from PIL import Image; \
		Image.open(sys.argv[1]).convert("RGB").quantize().save(sys.argv[2], optimize=True)' \
		../../$(REFERENCE)/figures/$$chart $$chart; done
	$(PY) -m tests.pages

# 32 workers in weak scaling, and four megapixels in the bench, would take hours and tell little of two CPUs.
# Runs in a folder of its own, because advise prints a command with every option that is not the default.
RAW := results/raw
measured = cd $(RAW) && $(CURDIR)/$(PY) $(CURDIR)/run.py experiment=$(1)

measure-reference: $(READY)  ## Measure the reference anew on an idle machine with a clean commit (two hours)
	mkdir -p $(RAW)
	$(call measured,advise) dataset=photos image_size=null n_images=null n_augmentations=100 output_dir=augmented
	$(call measured,strong_scaling) repetitions=5
	$(call measured,strong_scaling) repetitions=90 strategy=p2 workers=2 with_baseline=false with_ceiling=false
	$(call measured,weak_scaling) repetitions=5 n_augmentations=20 workers=1,2,4,8,16
	$(call measured,diagnose) repetitions=10
	$(call measured,ablation)
	$(call measured,aa) repetitions=15
	$(call measured,bench) repetitions=3 saving=true pipeline=study image_size=2000x1000
	$(call measured,bench) repetitions=3 saving=true pipeline=light image_size=500x500
	$(PY) -m experiments.report.pack $(RAW)/results $(REFERENCE)

schema: $(READY)  ## Generate docs/reference.md from options and columns
	$(PY) -m experiments.config.reference

# All extras but dataloader, whose PyTorch has gigabytes that few need: pip install torch.
LOCKED := optuna slurm loky dask ray s3 docs dev

lock:  ## Resolve requirements.lock anew from pyproject.toml (needs uv)
	uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes $(LOCKED:%=--extra %) \
		--no-emit-index-url --no-header pyproject.toml -o requirements.lock

clean:  ## Remove the environment and caches; results stay
	rm -rf $(VENV) .cache .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
