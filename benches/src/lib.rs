//! What is measured, and how.
#![allow(missing_docs, missing_debug_implementations, clippy::missing_panics_doc)]

pub mod authenticate;
pub mod harness;
pub mod model;
pub mod peers;
pub mod redis;
pub mod report;
pub mod scale;
pub mod server;
pub mod session;
pub mod store;
pub mod subject;
pub mod url;
pub mod users;

pub type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;
