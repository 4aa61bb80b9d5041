# The common commands; `just` lists them. Each line can also be typed by hand.

_list:
    @just --list --unsorted

# Types only: the quickest look
check:
    cargo check --workspace --all-targets --all-features

# What must hold before each commit
lint:
    cargo fmt --all --check
    cargo clippy --locked --workspace --all-targets --all-features -- -D warnings

# The tests that need Rust only; `just test manager::` runs those of one module
test filter="":
    cargo test {{ if filter == "" { "" } else { "--test it -- " + filter } }}

# Accepts changed request bodies: read the difference before you commit it
accept-snapshots:
    INSTA_UPDATE=always cargo test --test it
    git diff --stat snapshots

# Accepts changed compiler messages: read the difference before you commit it
accept-messages:
    WORKOS_UI_ACCEPT=1 cargo test --test ui
    git diff --stat tests/ui

# Accepts the changed public API
accept-api:
    .ci/public-api
    git diff --stat docs/public-api.txt

# The documentation as docs.rs shows it (needs a nightly toolchain)
docs:
    RUSTDOCFLAGS='--cfg docsrs -D warnings' cargo +nightly doc --package workos-auth --no-deps --all-features

# Everything that must hold before a change lands (about half an hour on two cores)
gate:
    .ci/run
