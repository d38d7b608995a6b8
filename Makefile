# `make demo` and `make test` need Python 3.11 to 3.13 and make; everything else goes into .venv.

PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.13; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$p && break; done)
V := .venv/bin/python
BACKENDS := tensorflow jax torch
DEMO = tensorflow$(comma) keras$(comma) tf2onnx$(comma) onnx$(comma) yaml$(comma) pydantic$(comma) rich$(comma) matplotlib$(comma) grain$(comma) tensorboard$(comma) kerascola.export

.PHONY: demo test lint types $(BACKENDS:%=test-%) clean

demo:
	@$(call ready,demo,tensorflow train export eval,$(DEMO))
	@$(V) -m kerascola.cli demo --run runs/demo

test: lint types $(BACKENDS:%=test-%)

lint: dev
	$(V) -m ruff check .
	$(V) -m ruff format --check .

# mypy is shown the tree as it installs: export/ and zoo/ inside the package.
types: dev
	@rm -rf build/types && mkdir -p build/types/kerascola
	@ln -s "$(CURDIR)"/kerascola/* "$(CURDIR)/export" "$(CURDIR)/zoo" build/types/kerascola/
	cd build/types && ../../$(V) -m mypy --config-file ../../pyproject.toml -p kerascola

# A backend at a time, as Keras is bound to one when it is imported; its files are shared out to two processes, in the
# order that tests/conftest.py gives them. What needs no Keras is the same on all of them, and tested once, as are the
# tests marked `once`: on torch, which compiles nothing and so has time.
NO_KERAS := audio data runtime evaluation/report
test-tensorflow test-jax: ONCE = $(NO_KERAS:%=--ignore=tests/%)
$(BACKENDS:%=test-%): test-%: dev
	KERAS_BACKEND=$* $(V) -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder --max-worker-restart=0 \
		--durations=12 $(ONCE)

.PHONY: dev
dev:
	@$(call ready,dev,tensorflow jax torch train export openvino litert eval dev,$(DEMO)$(comma) jax$(comma) jax2onnx$(comma) torch$(comma) onnxscript$(comma) openvino$(comma) ai_edge_litert$(comma) mypy$(comma) pytest)

clean:
	rm -rf .venv build runs

# $(call ready,NAME,EXTRAS,MODULES): .venv holds the package with these extras, whatever its state was before, and
# MODULES import. The stamp .venv/ready-NAME says for which files, folder and set of installed packages that is known,
# so a second run starts at once; `dev` holds all that `demo` needs. What is broken is built anew. torch comes first
# and pinned: any looser request brings its build for GPUs, with gigabytes of libraries.
comma := ,
empty :=
space := $(empty) $(empty)
state = (cat pyproject.toml constraints.txt; echo "$(CURDIR)"; ls .venv/lib/python*/site-packages) 2>/dev/null | cksum
sound = $(V) -c 'import sys, pip; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null
create = if [ -z "$(PYTHON)" ]; then \
		echo "Python 3.11, 3.12 or 3.13 is needed and none was found: make PYTHON=/path/to/python" >&2; exit 1; fi; \
	rm -rf .venv && "$(PYTHON)" -m venv .venv
pip = $(V) -m pip install -q --disable-pip-version-check -c constraints.txt
install = $(if $(findstring torch,$(1)),$(pip) torch==2.13.0 &&) $(pip) -e '.[$(subst $(space),$(comma),$(1))]'
imports = $(V) -c 'import $(1)' >/dev/null 2>&1
ready = set -e; \
	for name in $(1) dev; do \
		if [ "$$(cat .venv/ready-$$name 2>/dev/null)" = "$$( $(state) )" ] && $(sound); then exit 0; fi; done; \
	echo "setting up .venv for $(1) ..."; \
	if ! $(sound); then $(create); fi; \
	$(call install,$(2)) || { echo "pip could not install what is missing (see above). If no network is the reason," \
		"try again with one; if not, make clean" >&2; exit 1; }; \
	$(call imports,$(3)) || { echo "that .venv is damaged: building it anew ..."; $(create); $(call install,$(2)); \
		$(call imports,$(3)) || { $(V) -c 'import $(3)'; exit 1; }; }; \
	$(state) > .venv/ready-$(1)
