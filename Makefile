# Everything is installed into .venv/ here; pip runs again only when pyproject.toml has changed.
#
#   make demo                            lesson 4 on a small synthetic capture
#   make demo DATA=<folder> SCENE=001    lesson 4 on a scene of the Pixel 4 set
#   make demo LEFT=<file> RIGHT=<file> CALIBRATION=<folder>    lesson 4 on your own capture
#                                        (also: BLACK_LEVEL=<number> WHITE_LEVEL=<number>; for all three
#                                        PRESET=<name> SEED=<number> OUT=<folder>)
#   make batch CAPTURES="<files>"        lesson 4 on many captures: CSV files, folders, patterns
#                                        (also: SCHEDULER=<address of a Dask cluster>)
#   make table                           the comparison with the classical methods, on simulated captures, or
#                                        with DATA=<folder> on the scenes there
#   make site                            the lessons as pages that need no program behind them
#   make student                         copies of the lessons without the solutions
#   make test                            the tests
#   make bench                           time and memory of the solver, as JSON (also: DATA=<folder> SCENE=001)
#   make notebooks                       run the lessons, and keep their outputs in notebooks/
#   make clean                           remove .venv/, out/ and what tools leave behind

PYTHON ?= python3
# Where a target writes to, unless OUT says where
out = $(or $(OUT),out/$@)

known := PYTHON DATA SCENE LEFT RIGHT CALIBRATION BLACK_LEVEL WHITE_LEVEL PRESET SEED OUT CAPTURES SCHEDULER
given := $(foreach name,$(.VARIABLES),$(if $(filter command line,$(origin $(name))),$(name)))
unknown := $(filter-out $(known) MAKEFLAGS MAKEOVERRIDES,$(given))
ifneq ($(strip $(unknown)),)
$(error unknown variable: $(unknown); known are: $(known))
endif

run := .venv/bin/python
# $(call parameter,NAME,value): a papermill parameter, when a value is given
parameter = $(if $(2),-p $(1) "$(2)")

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo batch table site student test bench notebooks clean

help:
	@sed -n '3,/^$$/s/^# \{0,1\}//p' Makefile

parameters = $(strip \
	$(call parameter,data_dir,$(DATA)) $(call parameter,scene,$(SCENE)) \
	$(call parameter,left,$(LEFT)) $(call parameter,right,$(RIGHT)) \
	$(call parameter,calibration_dir,$(CALIBRATION)) \
	$(call parameter,black_level,$(BLACK_LEVEL)) $(call parameter,white_level,$(WHITE_LEVEL)) \
	$(call parameter,preset,$(PRESET)) $(call parameter,seed,$(SEED)))

demo: .venv/installed
	$(run) -m dpdefocus.batch notebooks/04_mpi_optimization.ipynb --out-dir "$(out)" $(parameters)

batch: .venv/installed
	$(run) -m dpdefocus.batches notebooks/04_mpi_optimization.ipynb $(CAPTURES) --out-dir "$(out)" \
		$(if $(SCHEDULER),--scheduler "$(SCHEDULER)") $(parameters)

table: .venv/installed
	$(run) benchmarks/table.py --renew --readme README.md $(if $(DATA),--data "$(DATA)" \
		--out benchmarks/table_pixel4.json,--seeds 3 --out benchmarks/table_synthetic.json)

site: .venv/installed
	$(run) -m dpdefocus.site --out-dir "$(out)"

student: .venv/installed
	$(run) -m dpdefocus.editions student --out-dir "$(out)"

test: .venv/installed-test
	$(run) -m pytest --numprocesses=auto --dist=loadfile

bench: .venv/installed
	$(run) benchmarks/bench.py $(if $(DATA),--data "$(DATA)" --scene "$(SCENE)")

notebooks: .venv/installed
	$(run) -m dpdefocus.editions colab
	DPDEFOCUS_BATCH=1 .venv/bin/jupyter nbconvert --to notebook --execute --inplace \
		--ExecutePreprocessor.record_timing=False notebooks/*.ipynb

clean:
	rm -rf .venv out build dpdefocus.egg-info .pytest_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$(PYTHON) is not Python 3.11 or newer: give one with make PYTHON=<python>"; exit 1; }
	$(PYTHON) -m venv .venv

.venv/installed: pyproject.toml | .venv/bin/python
	$(run) -m pip install --quiet --editable .
	@touch $@

.venv/installed-test: pyproject.toml | .venv/bin/python
	$(run) -m pip install --quiet --editable '.[test]'
	@touch .venv/installed $@
