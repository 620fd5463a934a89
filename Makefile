# make lab PYTHON=python3.12 uses another Python; make test ARGS="-k metrics" passes options on.
PYTHON ?= python3
SETUP = $(PYTHON) tools/setup.py
RUN = $(SETUP) run
.PHONY: lab test build check bench soak

lab:   ; @$(SETUP) lab $(ARGS)
test:  ; @$(SETUP) test $(ARGS)
build: ; @$(RUN) tools/build.py $(ARGS)
check: ; @$(RUN) -m ruff check && $(RUN) tools/build.py --check && $(RUN) tools/lint_lessons.py && $(RUN) -m recsys_course.cli lint
bench: ; @$(RUN) benchmarks/all.py $(ARGS)
soak:  ; @$(RUN) tools/soak.py $(ARGS)
