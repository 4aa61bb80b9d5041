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
//! ```
//! use std::time::Duration;
//! use workos_auth::testing::{AuthKit, Browser};
//! use workos_auth::{Callback, Client, ErrorCode, RedirectUri};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let authkit = AuthKit::builder().authorization_code_lifetime(Duration::from_secs(60)).start().await?;
//! let client = Client::builder().client_id(authkit.client_id()).base_url(authkit.base_url()).build()?;
//! let session = client.authorize(RedirectUri::new("http://127.0.0.1:8080/callback")?).authkit().begin()?;
//! let callback_url = Browser::new()?.sign_in(session.url().as_str(), "ada@example.com").await?;
//!
//! // The user takes too long.
//! authkit.advance(Duration::from_secs(61));
//! let not_signed_in = session.exchange(Callback::from_url(&callback_url)?)?.send().await.unwrap_err();
//! assert_eq!(not_signed_in.error().code(), Some(&ErrorCode::InvalidGrant));
//! # Ok(())
//! # }
//! ```

mod authkit;
mod browser;
mod clock;
mod session_store;

pub use authkit::{AuthKit, AuthKitBuilder, Fault, RadarDemand, TestUser};
pub use browser::{Browser, BrowserError};
pub use clock::ManualClock;
pub(crate) use clock::SeededRandom;
pub use session_store::{SessionStoreFault, check_session_store};
