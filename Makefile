# `make demo`, `make train-demo` and `make test` start from a bare Debian or Ubuntu; all else expects .venv.
.PHONY: help demo train-demo test test-adversarial chaos check images bench flips simulate setup \
	lock clean

help:
	@echo "make demo    score HumanEval here, in an environment of its own"
	@echo "make train-demo  train a small policy on rewards from here; its environment has torch"
	@echo "make test    set up everything, check, and run every test"
	@echo "make test-adversarial  attack every sandbox; a table of what came of it"
	@echo "make chaos   kill, stop and pause everything while 5,000 programs are judged; one line of it"
	@echo "make check   format, lint, types"
	@echo "make images  build the Docker images, and what docker-compose.yml needs"
	@echo "make bench   measure, into bench/out/latest.json"
	@echo "make flips   whether verdicts change on a busy machine, into bench/out/flips.json"
	@echo "make simulate  where a larger fleet meets its next limit"
	@echo "make lock    pin the requirements again"
	@echo "make clean   remove what the others made here"

demo:
	@scripts/venv
	@scripts/sandbox
	@scripts/redis
	@.venv/bin/proctor demo

train-demo:
	@scripts/venv train
	@scripts/sandbox
	@scripts/redis .venv-train
	@.venv-train/bin/python -m proctor.train.demo

test: setup
	@scripts/check
	@scripts/test

test-adversarial: setup
	@scripts/test-adversarial

chaos: setup
	@.venv/bin/python -m tests.chaos --sandbox docker --engine

check:
	@scripts/venv
	@scripts/check

images:
	@scripts/base-image
	@scripts/build-images --all
	@scripts/secrets
	@scripts/socket-group

bench: setup
	@.venv/bin/python -m bench
	@if docker info >/dev/null 2>&1; then .venv/bin/python -m bench.languages; fi

flips: setup
	@.venv/bin/python -m bench.flips

simulate:
	@scripts/venv
	@.venv/bin/python -m bench.simulate

setup:
	@scripts/venv
	@scripts/venv train
	@scripts/packages
	@scripts/compose-v2
	@scripts/promtool
	@scripts/engine
	@if docker info >/dev/null 2>&1; then $(MAKE) --no-print-directory images; fi

lock:
	@scripts/lock

clean:
	rm -rf .venv .venv-train .proctor train-demo bench/out
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
