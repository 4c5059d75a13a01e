# `make demo` runs the main job, `make test` passes the tests. `make` lists the rest.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

CRATE ?= core
# Builds of the dev profile have crash points, all of them, so that nothing is compiled twice. For the
# same reason all is chosen from the whole workspace: what is chosen by `-p` has other features.
CRASH := --features perennial-process/failpoints
WORKSPACE := --locked --workspace $(CRASH)
CRASH_OF_CRATE = $(if $(shell grep -lE '^(name = "perennial-process"|perennial-process\.)' crates/$(CRATE)/Cargo.toml),$(CRASH))
KEEP ?=
TARGET ?= kubeconfig
SECONDS ?= 60
BIN := $(or $(CARGO_TARGET_DIR),target)/release
DEV_BIN := $(or $(CARGO_TARGET_DIR),target)/debug

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

.PHONY: build
build: ## Build token-issuer, secret-writer, scheduler, perennial and perennial-lab into target/release
	cargo build --locked --release --workspace --bins

.PHONY: demo
demo: build ## Keep the tokens of two shoots fresh for a minute and prove it; KEEP=1 stays
	$(BIN)/perennial-lab prepare --tools
	$(BIN)/perennial-lab demo $(if $(KEEP),--keep)

.PHONY: test
test: unit sim-short e2e ## Everything: unit, property, integration, simulation, end to end on real API servers
	$(MAKE) bench QUICK=1

# Tests drive the binaries of the dev profile, which they share everything with.
.PHONY: cluster
cluster: ## Find or build kube-apiserver, etcd, kubectl and grpcurl (minutes the first time, then nothing)
	cargo build $(WORKSPACE) --bins --test e2e
	$(DEV_BIN)/perennial-lab prepare --tools --kubectl

.PHONY: unit
unit: cluster ## Unit, property and integration tests, freshness of generated code, architecture
	cargo test $(WORKSPACE)

.PHONY: integration
integration: ## Three real services in one process over mutual TLS against a fake API server
	cargo test $(WORKSPACE) --test integration

# Most of these tests wait more than they work, so three at a time fit on two cores; what a test
# said stands under its name at the end. Those that need the machine for themselves come after them:
# they make thousands of tokens, or tell by fractions of a second who was late.
#
# Crash points are in the build of the tests alone; without a word the lab takes what was built last.
PROGRAMS = $(DEV_BIN)
E2E = PERENNIAL_PROGRAMS=$(abspath $(PROGRAMS)) cargo test $(WORKSPACE) --test e2e --
E2E_ALONE := first_token:: fleet:: forced:: frozen_shoots:: key_campaign:: kill:: random:: renewal:: stopped_shoot::

.PHONY: e2e
e2e: cluster ## Real API servers, the three services as processes; ONLY=name runs some
ifeq ($(ONLY),)
	$(E2E) --test-threads=3 --show-output $(addprefix --skip ,$(E2E_ALONE))
	$(E2E) --test-threads=1 --nocapture $(E2E_ALONE)
	$(DEV_BIN)/perennial-lab run -- cargo test $(WORKSPACE) --test access
else
	@$(E2E) --list $(ONLY) 2>/dev/null | grep ': test$$' >/dev/null || { echo "no e2e test has '$(ONLY)' in its name"; exit 1; }
	$(E2E) --test-threads=1 --nocapture $(ONLY)
endif

# Everything in it is drawn from SEED; docs/simulation.md. A month is the short form, in CI too.
YEARS ?= 1
TOKENS ?= 30000
SEED ?= 1
# A renewal touches memory all over the place: with huge pages it takes a sixth less.
SIM := GLIBC_TUNABLES=glibc.malloc.hugetlb=1 cargo run --locked --profile simulation -p perennial-sim --

.PHONY: sim
sim: ## A virtual year of a fleet where everything goes wrong: YEARS=1 TOKENS=30000 SEED=1
	$(SIM) year --years $(YEARS) --tokens $(TOKENS) --seed $(SEED)

.PHONY: sim-short
sim-short: ## A virtual month of it, a mass start, a shoot that is slow, replicas that share shoots
	$(SIM) year --years 0.0822 --tokens $(TOKENS) --seed $(SEED) --out target/sim/month.json
	$(SIM) mass-start --tokens $(TOKENS) --seed $(SEED) --out target/sim/mass-start.json
	$(SIM) one-slow-shoot --tokens 5000 --seed $(SEED) --out target/sim/one-slow-shoot.json
	$(SIM) long-outage --tokens 250 --seed $(SEED) --out target/sim/long-outage.json
	$(SIM) replicas --tokens 1000 --days 1.5 --seed $(SEED) --out target/sim/replicas.json

.PHONY: sim-plot
sim-plot: ## Draw docs/mass-start.svg anew: the load after a mass start, and that of three other rules
	$(SIM) compare --tokens $(TOKENS) --seed $(SEED)

.PHONY: storm
storm: cluster ## Twenty minutes against a controller that rewrites every token, on real API servers
	PERENNIAL_STORM_SECONDS=1200 $(E2E) --nocapture storm_stranger

# Optimised services: at 85 renewals a second it is the API servers that should fill the machine.
.PHONY: fleet
fleet: PROGRAMS = $(BIN)
fleet: cluster build ## Eighteen minutes: 5,000 Secrets of 50 shoots while shoots are cut off and schedulers killed
	PERENNIAL_FLEET=full $(E2E) --nocapture fleet::

.PHONY: consumers
consumers: cluster ## Ten minutes of client-go, kubectl and kube-rs, until their first token has expired
	PERENNIAL_CONSUMERS=long $(E2E) --nocapture e_components

# libFuzzer on the stable compiler: --target keeps the flags away from build scripts. One binary has
# all targets; FUZZ_TARGET chooses. What it finds goes to target/fuzz/found-TARGET, the corpus that
# grows to target/fuzz/corpus-TARGET; tests/fuzz/corpus is only read.
FUZZ_DIR := $(abspath $(or $(CARGO_TARGET_DIR),target)/fuzz)
FUZZ_HOST = $(shell rustc -vV | sed -n 's/^host: //p')
FUZZ_FLAGS := --cfg fuzzing -Cdebug-assertions -Coverflow-checks -Ccodegen-units=1 -Cpasses=sancov-module \
	$(addprefix -Cllvm-args=-sanitizer-coverage-,level=4 inline-8bit-counters pc-table trace-compares)

.PHONY: fuzz-build
fuzz-build:
	RUSTFLAGS="$(FUZZ_FLAGS)" cargo build --locked --release --target-dir $(FUZZ_DIR) --target $(FUZZ_HOST) \
		-p perennial-fuzz --features engine --bin fuzz

.PHONY: fuzz
fuzz: fuzz-build ## Fuzz one parser, guided by coverage: TARGET=kubeconfig SECONDS=60; needs a C++ compiler
	@test -d tests/fuzz/corpus/$(TARGET) || { echo "no target $(TARGET); TARGET is one of: $$(ls tests/fuzz/corpus | tr '\n' ' ')"; exit 1; }
	mkdir -p $(FUZZ_DIR)/corpus-$(TARGET) $(FUZZ_DIR)/found-$(TARGET)
	FUZZ_TARGET=$(TARGET) FUZZ_SEEDS=$(FUZZ_DIR)/corpus-$(TARGET) $(FUZZ_DIR)/$(FUZZ_HOST)/release/fuzz \
		$(FUZZ_DIR)/corpus-$(TARGET) tests/fuzz/corpus/$(TARGET) \
		-max_total_time=$(SECONDS) -max_len=65536 -timeout=10 -rss_limit_mb=1024 -use_value_profile=1 \
		-artifact_prefix=$(FUZZ_DIR)/found-$(TARGET)/ -print_final_stats=1

# Nothing else should run on the machine. QUICK=1 is for the counts, and fails where one is not as promised;
# these are the same in any build, so it takes that of the tests.
BENCH_BIN := $(if $(QUICK),$(DEV_BIN),$(BIN))
.PHONY: bench
bench: $(if $(QUICK),cluster,build) ## Perennial beside the bare loop, on real API servers, in turn; QUICK=1 holds the counts alone
	$(BENCH_BIN)/perennial-lab prepare
	$(BENCH_BIN)/bench run $(if $(QUICK),--quick --out $(dir $(DEV_BIN))bench/quick.json)

# Each takes minutes, 30,000 Secrets half an hour; WHAT are more flags, such as WHAT="--secrets 30000".
.PHONY: bench-growth bench-hostile bench-replicas
bench-growth: ## The same with more Secrets over 25 shoots: time, memory, starts
bench-hostile: ## The same beside 300 MB of others' Secrets, under 10,000 edits a minute, and with one shoot slow
bench-replicas: ## The same with one, two and three replicas of each service
bench-growth bench-hostile bench-replicas: bench-%: build
	$(BIN)/perennial-lab prepare
	$(BIN)/bench $* $(WHAT)

.PHONY: bench-steps
bench-steps: ## Decision, queue, levelling and reduction of a Secret alone, at 1,000 to 100,000
	cargo bench --locked -p perennial-bench --bench micro

.PHONY: bench-fleet
bench-fleet: ## What 100,000 Secrets cost the scheduler: bytes each, time to decide on all, time of a renewal
	cargo bench --locked -p perennial-fleet --bench fleet

.PHONY: check
check: ## The inner loop for one crate, CRATE=core by default: format, lint, its tests
	@test -d crates/$(CRATE) || { echo "no crate crates/$(CRATE); CRATE is one of: $$(ls crates | tr '\n' ' ')"; exit 1; }
	cargo fmt -p perennial-$(CRATE)
	cargo clippy --locked -p perennial-$(CRATE) --all-targets $(CRASH_OF_CRATE) -- -D warnings
	cargo test --locked -p perennial-$(CRATE) $(CRASH_OF_CRATE)

.PHONY: lint
lint: ## Format and clippy over everything, nothing is changed
	cargo fmt --all --check
	cargo clippy $(WORKSPACE) --all-targets -- -D warnings
	cargo clippy $(WORKSPACE) --test e2e -- -D warnings # no target of "all", see tests/Cargo.toml

.PHONY: generate
generate: ## Write crates/proto/src/gen anew from proto/
	for f in crates/proto/src/gen/*; do : > $$f; done # what does not compile must not stop this
	UPDATE=1 cargo test -p perennial-proto --test fresh

.PHONY: fmt
fmt: ## Format everything
	cargo fmt --all
