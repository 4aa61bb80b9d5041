//! The crates whose types public signatures name, in the versions that this crate uses. An application that takes them from here
//! never has a second version by mistake.
//!
//! | crate | version | for |
//! | --- | --- | --- |
//! | [`bytes`] | 1 | bodies of a [`Transport`](crate::transport::Transport) |
//! | [`futures_core`] | 0.3 | the stream of a [list](crate::api::Items) |
//! | [`http`] | 1 | requests, responses and their headers |
//! | [`jiff`] | 0.2 | points in time |
//! | [`secrecy`] | 0.10 | [`ExposeSecret`](crate::ExposeSecret) |
//! | [`serde`] | 1 | an application's own claims, requests and replies |
//! | [`serde_json`] | 1 | attributes of any shape |
//! | `reqwest` | 0.13 | the settings of the HTTP client (feature `reqwest`) |
//! | `cookie` | 0.18 | `SetCookie::into_cookie` (feature `cookie`) |
//! | `redis` | 1 | a connection for `RedisSessionStore` (feature `redis`) |
//! | `sqlx` | 0.9 | a pool for `SqlSessionStore` (features `sqlx-postgres`, `sqlx-sqlite`) |
//!
//! `axum`, `tower-layer` and `tower-service` aren't here: applications with the features `axum` and `tower` have them.
//!
//! An incompatible version of one of them comes with an incompatible version of this crate. `jiff` has no 1.0 yet, and is in the
//! public API all the same, since the standard library has no type for a date. Nor has `sqlx`, whose pool applications have.

#[cfg(feature = "cookie")]
pub use cookie;
#[cfg(feature = "redis")]
pub use redis;
#[cfg(feature = "reqwest")]
pub use reqwest;
#[cfg(any(feature = "sqlx-postgres", feature = "sqlx-sqlite"))]
pub use sqlx;
pub use {bytes, futures_core, http, jiff, secrecy, serde, serde_json};
