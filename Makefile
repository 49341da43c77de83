# Everything is built into target/ (or CARGO_TARGET_DIR). What is downloaded is kept in .cache/ (or
# SOGLIA_CACHE).

PREFIX ?= /usr/local
CARGO ?= cargo
# For all of cargo's commands, for instance --locked.
CARGOFLAGS ?=
# For the test programs, for instance -- --show-output.
TESTFLAGS ?=
# How long each fuzz target runs.
SECONDS ?= 60
TARGET := $(or $(CARGO_TARGET_DIR),target)
# Where cargo puts what it builds: for another target in a folder of its own.
# make CARGO_BUILD_TARGET=aarch64-unknown-linux-gnu
OUT := $(TARGET)$(if $(CARGO_BUILD_TARGET),/$(CARGO_BUILD_TARGET))
ifdef CARGO_BUILD_TARGET
export CARGO_BUILD_TARGET
endif
# Public items may link to private ones, which are documented beside them.
DOCFLAGS := -D warnings -A rustdoc::private_intra_doc_links
# What is installed.
BUILT ?= $(OUT)/release
ARM64 := aarch64-unknown-linux-gnu
MUSL := x86_64-unknown-linux-musl
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)

.DEFAULT_GOAL := build
.PHONY: build arm64 emulated musl test test-arm64 test-musl test-viewers demo bench picture book lint doc deny fuzz miri fixtures install dist dist-check \
	clean distclean help

build: ## the tool and the engine: target/release/soglia and libsoglia.so, also named libmscoree.so (default)
	CARGO_ENCODED_RUSTFLAGS="$$(packaging/rustflags)" $(CARGO) build $(CARGOFLAGS) --release --workspace
	ln -sf libsoglia.so $(OUT)/release/libmscoree.so

arm64: ## the same for ARM64: target/aarch64-unknown-linux-gnu/release
	tools/for-target $(ARM64) $(MAKE) build CARGO_BUILD_TARGET=$(ARM64)

# Without Alpine's own tools: the tool is static, and works with glibc as well.
musl: ## for Alpine: the tool and libsoglia-musl.so, in target/x86_64-unknown-linux-musl/release
	tools/for-target $(MUSL) sh -c 'CARGO_ENCODED_RUSTFLAGS="$$(packaging/rustflags)" exec $(CARGO) build $(CARGOFLAGS) --release -p soglia'
	tools/for-target --dynamic $(MUSL) sh -c 'CARGO_ENCODED_RUSTFLAGS="$$(packaging/rustflags)" exec $(CARGO) build $(CARGOFLAGS) --release -p soglia-clr'
	ln -f $(TARGET)/$(MUSL)/release/libsoglia.so $(TARGET)/$(MUSL)/release/libsoglia-musl.so

# The tests start programs with the engine and the tool as cargo leaves them, side by side.
test: ## all tests; gets a .NET runtime if there is none
	$(CARGO) build $(CARGOFLAGS) --workspace
	root=$$(tools/dotnet-root) && echo "tests run on the .NET in $$root" && \
	DOTNET_ROOT=$$root SOGLIA_TEST_DOTNET_ROOT=$$root $(CARGO) test $(CARGOFLAGS) --workspace $(TESTFLAGS)

# What a kernel does not answer through an emulator: the registers of a waiting thread, and memory
# by process_vm_readv. The first ones are arithmetic that takes minutes there.
EMULATED := trace::sample::tests the_frames_of_a_thread_that_waits \
	memory_that_is_not_there_is_not_read the_clr_says_where_a_p_invoke_leads \
	values_are_read_up_to_their_sizes native_texts_end_with_a_zero

# Prints the tests that test-arm64 leaves out.
emulated:
	@echo $(EMULATED)

test-arm64: ## tests of the engine for ARM64, in an emulator, with a runtime that a test plays
	tools/for-target $(ARM64) $(CARGO) build $(CARGOFLAGS) -p soglia-clr --lib
	SOGLIA_TEST_ENGINE=$(abspath $(TARGET))/$(ARM64)/debug/libsoglia.so \
		tools/for-target $(ARM64) $(CARGO) test $(CARGOFLAGS) \
		-p soglia-core -p soglia-il -p soglia-clr --lib --test runtime -- $(EMULATED:%=--skip %)
	tools/for-target $(ARM64) $(CARGO) test $(CARGOFLAGS) -p soglia-trampolines --tests

test-musl: ## tests of the engine for musl, with a runtime that a test plays
	tools/for-target --dynamic $(MUSL) $(CARGO) build $(CARGOFLAGS) -p soglia-clr --lib
	SOGLIA_TEST_ENGINE=$(abspath $(TARGET))/$(MUSL)/debug/libsoglia.so \
		tools/for-target --dynamic $(MUSL) $(CARGO) test $(CARGOFLAGS) -p soglia-clr --test runtime

test-viewers: ## what soglia makes for viewers, opened in them; needs chromium and prometheus, gets the others
	$(CARGO) build $(CARGOFLAGS) --workspace
	root=$$(tools/dotnet-root) && viewers=$$(tools/viewers) && \
		SOGLIA_TEST_VIEWERS=$$viewers DOTNET_ROOT=$$root SOGLIA_TEST_DOTNET_ROOT=$$root \
		$(CARGO) test $(CARGOFLAGS) --workspace --test viewers $(TESTFLAGS)

demo: build ## records two small programs and shows what they did
	tools/demo $(TARGET)

bench: build ## what a crossing costs, with and without soglia
	root=$$(tools/dotnet-root) && echo "benchmarks run on the .NET in $$root" && \
	DOTNET_ROOT=$$root SOGLIA_TEST_DOTNET_ROOT=$$root \
		CARGO_ENCODED_RUSTFLAGS="$$(packaging/rustflags)" $(CARGO) bench $(CARGOFLAGS) -p soglia --bench crossings

picture: ## draws docs/report-*.svg, the picture in README.md, from what soglia writes
	$(CARGO) build $(CARGOFLAGS) --workspace
	root=$$(tools/dotnet-root) && DOTNET_ROOT=$$root SOGLIA_TEST_DOTNET_ROOT=$$root SOGLIA_BLESS=1 \
		$(CARGO) test $(CARGOFLAGS) --workspace --test tool picture

book: ## the documents as a book in target/book, with links checked; gets mdbook if there is none
	tools/book $(TARGET)/book

lint: ## formatting, clippy, and shellcheck if it is installed
	$(CARGO) fmt --all --check
	$(CARGO) fmt --manifest-path fuzz/Cargo.toml --check
	$(CARGO) clippy $(CARGOFLAGS) --workspace --all-targets -- -D warnings
	SOGLIA_EMBED=/bin/true $(CARGO) clippy $(CARGOFLAGS) -p soglia --no-default-features --features embedded-engine -- -D warnings
	$(CARGO) clippy $(CARGOFLAGS) --manifest-path fuzz/Cargo.toml --target-dir $(TARGET) --all-targets -- -D warnings
	@if command -v shellcheck >/dev/null; then shellcheck tools/* packaging/rustflags packaging/dist packaging/check packaging/try fixtures/build.sh fuzz/run fuzz/again .ci/run; \
	elif [ -n "$$CI" ]; then echo "shellcheck is not installed" >&2; exit 1; \
	else echo "skipped: shellcheck, which is not installed"; fi

# Two libraries are named soglia: the tool's and the engine's. So the engine has a run and a folder
# of its own.
doc: ## the documentation of all crates, in target/doc; of the engine in target/doc-engine
	RUSTDOCFLAGS="$(DOCFLAGS)" $(CARGO) doc $(CARGOFLAGS) --workspace --exclude soglia-clr --no-deps
	RUSTDOCFLAGS="$(DOCFLAGS)" $(CARGO) doc $(CARGOFLAGS) -p soglia-clr --no-deps --document-private-items --target-dir $(TARGET)/doc-engine

deny: ## licences, versions and sources of dependencies
	tools/cargo-deny check licenses bans sources

fuzz: ## runs each fuzz target for SECONDS=60; gets cargo-fuzz if there is none
	@CARGO="$(CARGO)" fuzz/run $(SECONDS)

miri: ## tests of the crates without a CLR in miri, if a toolchain has it
	@CARGO="$(CARGO)" tools/miri

fixtures: ## builds the managed fixtures again, with the .NET SDK on PATH
	fixtures/build.sh managed

# Builds nothing, so that root does not need a Rust toolchain. Files are for all users, whatever the
# file mode mask is.
install: ## installs what `make` has built; PREFIX=/usr/local, DESTDIR
	@test -x $(BUILT)/soglia -a -f $(BUILT)/libsoglia.so || { echo "nothing to install yet: run make first" >&2; exit 1; }
	install -D -m 755 $(BUILT)/soglia $(DESTDIR)$(PREFIX)/bin/soglia
	install -D -m 644 $(BUILT)/libsoglia.so $(DESTDIR)$(PREFIX)/lib/soglia/libsoglia.so
	ln -sf soglia/libsoglia.so $(DESTDIR)$(PREFIX)/lib/libmscoree.so
	install -D -m 644 include/mscoree.h $(DESTDIR)$(PREFIX)/include/soglia/mscoree.h
	install -m 644 include/soglia.h $(DESTDIR)$(PREFIX)/include/soglia/soglia.h
	install -d $(DESTDIR)$(PREFIX)/include/soglia/win32/wrl
	install -m 644 include/win32/*.* $(DESTDIR)$(PREFIX)/include/soglia/win32
	install -m 644 include/win32/wrl/* $(DESTDIR)$(PREFIX)/include/soglia/win32/wrl
	install -d $(DESTDIR)$(PREFIX)/lib/pkgconfig
	sed '1d; s|@PREFIX@|$(PREFIX)|; s|@VERSION@|$(VERSION)|' include/soglia.pc.in | \
		install -m 644 /dev/stdin $(DESTDIR)$(PREFIX)/lib/pkgconfig/soglia.pc
	set -e; umask 022; share=$(DESTDIR)$(PREFIX)/share; \
	mkdir -p $$share/bash-completion/completions $$share/zsh/site-functions $$share/fish/vendor_completions.d; \
	$(BUILT)/soglia completions bash >$$share/bash-completion/completions/soglia; \
	$(BUILT)/soglia completions zsh >$$share/zsh/site-functions/_soglia; \
	$(BUILT)/soglia completions fish >$$share/fish/vendor_completions.d/soglia.fish; \
	$(BUILT)/soglia __manual $$share/man/man1

dist: build ## packages of soglia in target/dist: tarball, Debian, .NET tool, bill of materials, checksums
	packaging/dist $(TARGET)/release $(TARGET)/dist

dist-check: dist ## builds and packs again in another folder, and compares the bytes
	CARGO="$(CARGO)" packaging/check $(TARGET)/dist

clean: ## removes what was built
	$(CARGO) clean

distclean: clean ## removes the downloaded .NET runtime as well
	rm -rf .cache

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1\t/p' Makefile | awk -F '\t' '{ printf "make %-12s %s\n", $$1, $$2 }'
