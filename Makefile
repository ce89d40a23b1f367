# Two commands do all set-up: `make demo` runs the main job, `make test` passes the tests.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
OUT    ?= build/digits
# One that is a link belongs to another checkout and is used as it is: setting it up would turn that one to this checkout.
LINKED := $(shell [ -L "$(VENV)" ] && [ -x "$(BIN)/python" ] && echo yes)
STAMP  := $(if $(LINKED),,$(VENV)/.installed)
EXTRAS := .[train,tflm,explore,web,fpga,dev]# a comma would end an argument of $(call)
RUNTIME_VENV := .venv-tflite-runtime
MEDIAPIPE_VENV := .venv-mediapipe
FRAMEWORKS_VENV := .venv-frameworks
RUNTIME_PYTHON := $(firstword $(foreach version,3.11 3.10,$(shell command -v python$(version) 2>/dev/null)))

# What a command says is kept in a file and shown only if it fails.
quietly = log=$$(mktemp) && { $(1) >"$$log" 2>&1 || { status=$$?; cat "$$log" >&2; exit $$status; }; } && rm "$$log"

# Two at a time: each worker holds TensorFlow (1 GB) and starts compilers and exports that use several processors.
WORKERS ?= 2
PYTEST  := $(BIN)/python -m pytest
DRAWN   := --hypothesis-profile default # other examples in each run
SPREAD  := -n $(WORKERS) --dist loadfile --no-loadscope-reorder

BOARD ?= mps2-an500
SECONDS ?= 600

# What a person names reaches recipes as "$$GIVEN_NAME", from the environment: neither make nor a shell reads it as text.
NAMES := OUT BOARD MODEL ABI IMAGENET WRITE NETWORKS
$(foreach name,$(NAMES),$(eval override $(name) := $$(value $(name))))
$(foreach name,$(NAMES),$(eval export GIVEN_$(name) := $$(value $(name))))

.PHONY: help setup tflite-runtime mediapipe frameworks sodium demo lint test test-fast test-slow test-random test-names check bench android mcu fuzz-decoders bench-mcu lock audit clean

help: ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 18

setup: $(STAMP) ## make .venv with everything in it

$(VENV)/.installed: pyproject.toml $(LOCK)
	$(PYTHON) -m venv $(VENV)
	@$(call quietly,$(BIN)/python -m pip install --upgrade pip)
ifdef LOCK
	@$(call quietly,$(BIN)/python -m pip install --retries 10 --require-hashes --requirement $(LOCK))
	@$(call quietly,$(BIN)/python -m pip install --no-deps --no-build-isolation --editable .)
else
	@$(call quietly,$(BIN)/python -m pip install --retries 10 --editable '$(EXTRAS)')
endif
	touch $@

tflite-runtime: ## make .venv-tflite-runtime, which lets the parity check include tflite-runtime 2.14 (Python 3.10 or 3.11)
	@if [ -x $(RUNTIME_VENV)/bin/python ] && $(RUNTIME_VENV)/bin/python -c 'import tflite_runtime, PIL' 2>/dev/null; then :; \
	elif [ -z "$(RUNTIME_PYTHON)" ]; then echo "no python3.10 or python3.11 here: the tflite-runtime edge will be skipped" >&2; \
	else $(RUNTIME_PYTHON) -m venv $(RUNTIME_VENV) \
	  && $(call quietly,$(RUNTIME_VENV)/bin/python -m pip install --retries 10 'tflite-runtime==2.14.0' 'numpy<2' 'pillow>=10.3'); fi

mediapipe: ## make .venv-mediapipe, with which a slow test asks the real MediaPipe Tasks (150 MB)
	@[ -x $(MEDIAPIPE_VENV)/bin/python ] || $(PYTHON) -m venv $(MEDIAPIPE_VENV)
	@$(MEDIAPIPE_VENV)/bin/python -c 'import mediapipe' 2>/dev/null \
	  || { $(call quietly,$(MEDIAPIPE_VENV)/bin/python -m pip install --retries 10 'mediapipe>=0.10'); } \
	  || { rm -rf $(MEDIAPIPE_VENV); echo "MediaPipe cannot be installed here: its test will be skipped" >&2; }

frameworks: ## make .venv-frameworks, in which a slow test has MXNet and Chainer write weights (400 MB, Python 3.10 or 3.11)
	@if [ -x $(FRAMEWORKS_VENV)/bin/python ] && $(FRAMEWORKS_VENV)/bin/python -c 'import mxnet, chainer' 2>/dev/null; then :; \
	elif [ -z "$(RUNTIME_PYTHON)" ]; then echo "no python3.10 or python3.11 here: MXNet and Chainer will be skipped" >&2; \
	else $(RUNTIME_PYTHON) -m venv $(FRAMEWORKS_VENV) \
	  && { $(call quietly,$(FRAMEWORKS_VENV)/bin/python -m pip install --retries 10 'numpy<1.24' 'setuptools<60' wheel six filelock \
	    'protobuf<4' typing_extensions 'mxnet==1.9.1'); } \
	  && { $(call quietly,$(FRAMEWORKS_VENV)/bin/python -m pip install --retries 10 --no-build-isolation --no-deps 'chainer==7.8.1'); } \
	  || { rm -rf $(FRAMEWORKS_VENV); echo "MXNet and Chainer cannot be installed here: their tests will be skipped" >&2; }; fi

sodium: setup ## fetch libsodium's sources (4 MB) into build/sodium: firmware that takes updates checks signatures with them in tests
	@[ -d build/sodium/libsodium ] || { mkdir -p build/sodium && $(call quietly,$(BIN)/python -m pip download --retries 10 --no-deps --no-binary :all: \
	  --no-build-isolation --require-hashes --requirement .ci/sodium.txt --dest build/sodium) \
	  && tar -xzf build/sodium/pynacl-*.tar.gz -C build/sodium --strip-components=4 --wildcards 'pynacl-*/src/libsodium/src/libsodium'; }

demo: setup tflite-runtime ## train, compress, convert and prove a SqueezeNet on the built-in digits
	$(BIN)/python -m sqz_tf.export --data digits --out "$$GIVEN_OUT" --overwrite

lint: setup ## what ruff and mypy find
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .
	@if $(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then $(BIN)/mypy; \
	else echo "the last NumPy for Python 3.10 is typed otherwise: mypy is left out" >&2; fi

test: lint tflite-runtime ## lint, types and all tests but the slow ones
	$(PYTEST) $(SPREAD) -m "not slow"

test-fast: lint ## what a person runs between edits: nothing is trained, emulated, attacked or built for a device
	$(PYTEST) $(SPREAD) -m "not slow and not training and not device and not attack" --ignore tests/strangers

test-slow: setup tflite-runtime mediapipe frameworks sodium ## the tests that take minutes
	$(PYTEST) $(SPREAD) $(DRAWN) -m slow

test-random: setup tflite-runtime ## all tests but the slow ones, in another order each time (SEED=1 repeats one)
	$(PYTEST) -p randomly $(if $(SEED),--randomly-seed $(SEED)) $(SPREAD) $(DRAWN) -m "not slow"

test-names: setup ## the names of all tests, to compare before and after a change
	@$(PYTEST) --collect-only -q | grep ::

check: test ## the same as test

bench: setup tflite-runtime ## seconds per stage, int8 against float latency
	@[ -f "$$GIVEN_OUT/manifest.json" ] || $(BIN)/python -m sqz_tf.export --data digits --out "$$GIVEN_OUT"
	$(BIN)/python -m sqz_tf.bench -- "$$GIVEN_OUT"

android: setup ## build and check build/android/sqz-demo.apk: MODEL="build/x ...", ABI=arm64-v8a
	@set -f; set --; for abi in $$GIVEN_ABI; do set -- "$$@" --abi "$$abi"; done; set -- "$$@" --; \
	if [ -e "$$GIVEN_MODEL" ]; then set -- "$$@" "$$GIVEN_MODEL"; else set -- "$$@" $$GIVEN_MODEL; fi; \
	$(BIN)/python -m android_demo.tools "$$@"

mcu: setup ## build firmware: BOARD=mps2-an500 (see mcu/boards/*.mk), MODEL=build/digits/model_int8.tflite
	@out="build/mcu/$$GIVEN_BOARD"; set --; [ "$$GIVEN_BOARD" = host ] || set -- --board "$$GIVEN_BOARD"; \
	$(BIN)/python -m sqz_tf.compile --out "$$out/c" --overwrite "$$@" -- "$${GIVEN_MODEL:-$$GIVEN_OUT/model_int8.tflite}" \
	  && $(BIN)/python -m sqz_tf.flash --only-build --board "$$GIVEN_BOARD" --out "$$out" -- "$$out/c"

fuzz-decoders: ## libFuzzer, with clang's sanitizers, on the decoders of compressed weights and of deltas: SECONDS=600
	@mkdir -p build/fuzz/unpack build/fuzz/delta
	clang -std=c11 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -Imcu/src \
	  -o build/fuzz/unpack.fuzz tests/mcu/fuzz/unpack.c mcu/src/sqz_unpack.c
	build/fuzz/unpack.fuzz -max_total_time=$(SECONDS) -max_len=4096 -timeout=10 build/fuzz/unpack
	clang -std=c11 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -Imcu/src \
	  -o build/fuzz/delta.fuzz tests/mcu/fuzz/delta.c mcu/src/sqz_delta.c
	build/fuzz/delta.fuzz -max_total_time=$(SECONDS) -max_len=4096 -timeout=10 build/fuzz/delta

bench-mcu: setup ## instructions, flash and RAM of compiled networks on virtual boards (IMAGENET=FILE, NETWORKS=FOLDER add more)
	@set --; [ -z "$$GIVEN_IMAGENET" ] || set -- --imagenet "$$GIVEN_IMAGENET"; \
	[ -z "$$GIVEN_WRITE" ] || set -- "$$@" --write "$$GIVEN_WRITE"; missed=0; \
	$(BIN)/python -m tools.bench_mcu --append build/bench-mcu.jsonl "$$@" || missed=1; \
	if [ -n "$$GIVEN_NETWORKS" ]; then $(BIN)/python -m tools.bench_mcu.networks -- "$$GIVEN_NETWORKS" || missed=1; \
	else echo "the seven networks of others, beside TFLite Micro: make bench-mcu NETWORKS=FOLDER-OF-THEIR-TFLITE"; fi; exit $$missed

lock: setup ## write .ci/requirements-3.11.txt anew: exact versions and hashes of all that CI installs (with Python 3.11)
	@$(BIN)/python -c 'import sys; sys.exit("the lock is for Python 3.11" if sys.version_info[:2] != (3, 11) else 0)'
	@$(call quietly,$(BIN)/python -m pip install --retries 10 pip-tools)
	$(BIN)/pip-compile --quiet --upgrade --extra train --extra tflm --extra explore --extra web --extra fpga --extra dev --generate-hashes --allow-unsafe \
	  --strip-extras --no-header --no-annotate --no-emit-index-url --no-emit-trusted-host --no-emit-find-links \
	  --output-file .ci/requirements-3.11.txt pyproject.toml

audit: setup ## look the locked packages up among known vulnerabilities, where that database can be reached
	@$(call quietly,$(BIN)/python -m pip install --retries 10 pip-audit)
	$(BIN)/pip-audit --require-hashes --disable-pip --requirement .ci/requirements-3.11.txt

clean: ## remove what was built, but not the virtual environments
	rm -rf build .pytest_cache .mypy_cache .ruff_cache .hypothesis
