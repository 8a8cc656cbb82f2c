# Two commands matter: `make demo` and `make test`. Both bring everything they need: Debian packages
# that are missing, the speech models (once, into your cache), and the build.

TARGET := $(or $(CARGO_TARGET_DIR),target)
OFFHOOK := $(TARGET)/release/offhook
# Holds what comes into the house against deny.toml.
CARGO_DENY := 0.20.2

.PHONY: help setup demo test bench docs clean

help:
	@echo 'make demo    a whole phone conversation on this machine, to read and to hear'
	@echo 'make test    every check and every test'
	@echo 'make bench   the figures, each beside its target'
	@echo 'make docs    the documentation of the code, and docs/errors.md'
	@echo 'make clean   what builds and demos left behind (models stay in your cache)'

setup:
	@.ci/setup

# Builds the gateway, fetches the models unless they are there, and makes a call.
demo: setup
	cargo build --release --locked --package gateway
	$(OFFHOOK) models fetch
	$(OFFHOOK) demo --out out/demo

# The cheap checks first, then the models, then every test of every crate: rules, stories and strange
# calls, carriers against their own published descriptions, and conversations with real speech. Most tests wait for the
# thing itself rather than compute, so that more of them run at once than there are cores.
test: setup
	cargo install --quiet --locked --root $(TARGET)/tools --version $(CARGO_DENY) cargo-deny
	cargo xtask ci
	cargo test --locked --workspace --no-run
	$(TARGET)/debug/offhook models fetch
	RUST_TEST_THREADS=3 cargo test --locked --workspace
	cargo xtask drill numbers ledger poison hostile webhooks outbox zombies --short
	@echo 'make test: format, tidy, clippy and documentation checked; every test of every crate passed'

bench: setup
	cargo build --release --locked --package gateway
	$(OFFHOOK) models fetch
	cargo xtask bench all

docs:
	cargo xtask docs
	cargo doc --locked --workspace --no-deps --document-private-items

clean:
	cargo clean
	rm -rf out
