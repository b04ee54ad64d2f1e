# `make help` lists what there is. CARGO_TARGET_DIR and PYTHON are respected.
# Scenarios wait for AWS more than they compute, so more of them than cores run side by side.
export RUST_TEST_THREADS ?= 5

.DEFAULT_GOAL := help
.PHONY: help build bench demo test test-all mutations container lint lint-actions env clean

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

build: ## the program, for use here
	cargo build --locked

demo: env build ## a pull request's story, with an emulated AWS and a fake GitHub
	.env/bin/python demo/story.py

bench: env ## how fast it is beside the real Chalice, into docs/performance.md: a quarter of an hour, on a quiet machine
	cargo build --locked --release
	.env/bin/python bench/run.py

test: env ## every test: units, layers, and scenarios against an emulated AWS
	cargo test --locked

test-all: export KILL_SWEEP = all
test-all: test ## as `test`, and the sweeps that kill a run at each of its calls try every case: minutes more

mutations: env ## takes out each line that keeps a rule of docs/state.md, and insists on a red test: most of an hour
	.env/bin/python tests/mutations.py

container: env ## only the tests that build the image and run it as GitHub does; they need root or a container engine
	cargo test --locked --test action
	cargo test --locked --test scenarios container::

lint: lint-actions ## formatting, clippy, and the lints of what GitHub reads
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	.env/bin/python -m unittest discover --quiet --start-directory bench

lint-actions: env ## workflows, action.yml, Dockerfiles and shell scripts
	./tests/lint/actions.sh

env: .env/stamp ## what tests, lints and demo need from Python's and npm's registries, in .env

.env/stamp: tests/requirements.txt tests/package-lock.json tests/setup.sh
	./tests/setup.sh

clean: ## removes what the others made
	rm -rf .env
	cargo clean
