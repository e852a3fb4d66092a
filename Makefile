# What people type here. `make demo` and `make test` need a Rust toolchain; what else is missing they install first, by
# apt on Debian and its kin, and say so (tools/deps).

CARGO ?= cargo
# Seconds for each fuzz target in `make fuzz-smoke` (part of `make test`) and in `make fuzz`.
FUZZ_SMOKE_SECONDS ?= 10
FUZZ_SECONDS ?= 600

.DEFAULT_GOAL := help

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: deps ## scan recordings of real servers, hold them against their specs, write a report page
	@tools/demo

.PHONY: test
test: deps deps-live ## the whole suite: unit, property, documentation, sample and live tests; a short fuzz run
	@tools/section "tests"
	$(CARGO) test --locked --all-targets
	@tools/section "documentation tests"
	$(CARGO) test --locked --doc
	@tools/section "the demo, with the binary of the tests"
	SHADOWTAP="$${CARGO_TARGET_DIR:-target}/debug/shadowtap" tools/demo > "$${CARGO_TARGET_DIR:-target}/demo.log"
	@tail -1 "$${CARGO_TARGET_DIR:-target}/demo.log"
	@$(MAKE) --no-print-directory fuzz-smoke

.PHONY: lint
lint: deps ## formatting, clippy, licences of dependencies, shell scripts
	@tools/section "formatting"
	$(CARGO) fmt --all --check
	@tools/section "clippy"
	$(CARGO) clippy --locked --all-targets -- -D warnings
	@tools/section "documentation builds"
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps --document-private-items
	@tools/section "licences and sources (cargo deny)"
	@if $(CARGO) deny --version >/dev/null 2>&1; then $(CARGO) deny --offline check bans licenses sources; \
		else echo "SKIPPED: cargo-deny is not installed (cargo install cargo-deny --locked)"; fi
	@tools/section "shell scripts (shellcheck)"
	@if command -v shellcheck >/dev/null; then shellcheck .ci/run $$(grep -lE '^#!/bin/(ba)?sh' tools/*) && echo clean; \
		else echo "SKIPPED: shellcheck is not installed"; fi

.PHONY: bench
bench: deps ## criterion benches, floor by floor and end to end
	$(CARGO) bench --locked

.PHONY: fuzz-smoke
fuzz-smoke: deps ## each fuzz target for a few seconds from the committed corpus
	@tools/section "fuzz targets, $(FUZZ_SMOKE_SECONDS) seconds each"
	@FUZZ_SEED=1 tools/fuzz $(FUZZ_SMOKE_SECONDS)

.PHONY: fuzz
fuzz: deps ## each fuzz target for ten minutes (FUZZ_SECONDS)
	@tools/fuzz $(FUZZ_SECONDS)

.PHONY: deps
deps: ## what a build needs and this machine lacks (C compiler, libpcap's headers)
	@tools/deps build

.PHONY: deps-live
deps-live: ## what the live test needs (nginx, wrk, tcpdump …); without it that test is skipped
	@tools/deps live || echo "deps: the live test will be skipped" >&2

.PHONY: clean
clean: ## what builds and fuzzing left
	$(CARGO) clean
	rm -rf fuzz/target fuzz/artifacts
