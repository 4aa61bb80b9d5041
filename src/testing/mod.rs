//! For tests: an AuthKit inside the process, a manual clock, reproducible randomness, and a suite for session stores.
//!
//! Applications use the AuthKit in their own tests. It serves real HTTP on loopback, and checks what the real service
//! checks.
//!
//! | item | what it is |
//! | --- | --- |
//! | [`AuthKit`], [`AuthKitBuilder`] | the server: users, steps, keys, its own clock |
//! | [`TestUser`], [`RadarDemand`] | who signs in there, and what is asked of them |
//! | [`Fault`] | what goes wrong with a request: a status, a delay, a lost reply |
//! | [`Browser`] | signs a user in, as a browser does |
//! | [`ManualClock`] | the clock of a client, moved by the test |
//! | [`check_session_store`] | the suite for an application's own session store |
//!
//! An expired access token is refreshed:
//!
//! ```
//! use std::time::Duration;
//! use workos_auth::session::MemorySessionStore;
//! use workos_auth::testing::{AuthKit, Browser};
//! use workos_auth::{Callback, RedirectUri, SessionManager, SessionState};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let authkit = AuthKit::start().await?;
//! let client = authkit.confidential_client();
//! let login = client.authorize(RedirectUri::new("http://127.0.0.1:8080/callback")?).authkit().begin()?;
//! let callback = Browser::new()?.sign_in(login.url().as_str(), "ada@example.com").await?;
//! let response = login.exchange(Callback::from_url(&callback)?)?.send().await?;
//! let sessions = SessionManager::new(client, MemorySessionStore::new());
//! let handle = sessions.sign_in(response).await?;
//!
//! authkit.advance(Duration::from_secs(301));
//! assert!(matches!(sessions.authenticate(&handle).await, SessionState::Active(_)));
//! assert_eq!(authkit.refreshes(), 1);
//! # Ok(())
//! # }
//! ```
//!
//! # Time
//!
//! [`AuthKit::advance`] moves one clock, by which the server goes and every client that it has made: when tokens, codes and parked
//! logins expire, for how long keys are used and refreshes are replayed, when an injected fault ends.
//!
//! What waits for something real goes by tokio's time, and isn't moved: the timeouts of requests, `keys_timeout` and
//! `answer_within`; how long a session store keeps a session or a lock; how long `LoopbackListener`
//! listens. Pauses before a retry and between the polls of a device login take real time too, unless the AuthKit has a clock of
//! [`ManualClock::new`], with which they end at once. Where tokio's time is paused (`tokio::time::pause`), the default clock stands
//! still with it.

mod authkit;
mod browser;
mod clock;
mod session_store;

pub use authkit::{AuthKit, AuthKitBuilder, Fault, RadarDemand, TestUser};
pub use browser::{Browser, BrowserError};
pub(crate) use clock::SeededRandom;
pub use clock::{ManualClock, Skew};
pub use session_store::{SessionStoreFault, check_session_store};
