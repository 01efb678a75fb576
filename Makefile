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
#   make test                            style, order of imports, and the tests
#   make bench                           time and memory of the solver, as JSON (also: DATA=<folder> SCENE=001)
#   make notebooks                       run the lessons, and keep their outputs in notebooks/
#   make clean                           remove .venv/, out/ and what tools leave behind

PYTHON ?= python3

known := PYTHON DATA SCENE LEFT RIGHT CALIBRATION BLACK_LEVEL WHITE_LEVEL PRESET SEED OUT CAPTURES SCHEDULER
given := $(foreach name,$(.VARIABLES),$(if $(filter command line,$(origin $(name))),$(name)))
unknown := $(filter-out $(known) MAKEFLAGS MAKEOVERRIDES,$(given))
ifneq ($(strip $(unknown)),)
$(error unknown variable: $(unknown); known are: $(known))
endif

# What is given reaches the commands through the environment, as it was typed: neither make nor a shell takes
# $(...), quotes or semicolons in it for their own.
$(foreach name,$(known),$(if $(value $(name)),\
	$(eval override $(name) := $$(value $(name)))$(eval export $(name))))

run := .venv/bin/python
dpdefocus := .venv/bin/dpdefocus
lesson4 := notebooks/04_mpi_optimization.ipynb
# Where a target writes to, unless OUT says where
out = "$${OUT:-out/$@}"
# $(call option,--name,NAME): the option with the variable's value, when one is given
option = $(if $($(2)),$(1) "$$$(2)")

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo batch table site student test bench notebooks clean

help:
	@sed -n '3,/^$$/s/^# \{0,1\}//p' Makefile

parameters = $(strip \
	$(call option,-p data_dir,DATA) $(call option,-p scene,SCENE) \
	$(call option,-p left,LEFT) $(call option,-p right,RIGHT) \
	$(call option,-p calibration_dir,CALIBRATION) \
	$(call option,-p black_level,BLACK_LEVEL) $(call option,-p white_level,WHITE_LEVEL) \
	$(call option,-p preset,PRESET) $(call option,-p seed,SEED))

demo: .venv/installed
	$(dpdefocus) run $(lesson4) --out-dir $(out) $(parameters)

# The shell splits CAPTURES at blanks and expands patterns in it.
batch: .venv/installed
	$(dpdefocus) batch $(lesson4) $$CAPTURES --out-dir $(out) $(call option,--scheduler,SCHEDULER) $(parameters)

table: .venv/installed
	$(run) benchmarks/table.py --renew --page $(call option,--data,DATA) \
		$(if $(DATA),--out benchmarks/table_pixel4.json,--seeds 3 --out benchmarks/table_synthetic.json)

site: .venv/installed
	$(dpdefocus) site --out-dir $(out)

student: .venv/installed
	$(dpdefocus) student --out-dir $(out)

test: .venv/installed-test
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/lint-imports
	$(run) -m pytest --numprocesses=auto --dist=loadfile

bench: .venv/installed
	$(run) benchmarks/bench.py $(if $(DATA),--data "$$DATA" --scene "$$SCENE")

notebooks: .venv/installed
	$(dpdefocus) colab
	DPDEFOCUS_BATCH=1 .venv/bin/jupyter nbconvert --to notebook --execute --inplace \
		--ExecutePreprocessor.record_timing=False notebooks/*.ipynb

clean:
	rm -rf .venv out build dpdefocus.egg-info .pytest_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python:
	@"$$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$$PYTHON is not Python 3.11 or newer: give one with make PYTHON=<python>"; exit 1; }
	"$$PYTHON" -m venv .venv

.venv/installed: pyproject.toml | .venv/bin/python
	$(run) -m pip install --quiet --editable .
	@touch $@

.venv/installed-test: pyproject.toml | .venv/bin/python
	$(run) -m pip install --quiet --editable '.[test]'
	@touch .venv/installed $@
