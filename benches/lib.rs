//! The benchmarks are in `session.rs`.
