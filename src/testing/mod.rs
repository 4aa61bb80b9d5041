//! For tests: an AuthKit inside the process, a manual clock, reproducible randomness, and a suite for session stores.
//!
//! Applications use the AuthKit in their own tests. It serves real HTTP on loopback, and checks what the real service
//! checks.
//!
//! | item | what it is |
//! | --- | --- |
//! | [`AuthKit`], [`AuthKitBuilder`] | the server: users, steps, keys, its own clock |
//! | [`TestUser`], [`TestMembership`], [`RadarDemand`] | who signs in there, what they may do, and what is asked of them |
//! | [`Fault`], [`Endpoint`] | what goes wrong with a request, and where: a status, a delay, a lost reply |
//! | [`Browser`] | signs a user in, as a browser does |
//! | [`ConnectToken`] | an access token of an OAuth or M2M application, right or wrong |
//! | [`ManualClock`] | the clock of an AuthKit and its clients, moved by the test |
//! | [`check_session_store`] | the suite for an application's own session store |
//!
//! # Recipes
//!
//! All of them sign in like this. An application that has its own handlers for the login calls these instead.
//!
//! ```
//! use workos_auth::testing::{AuthKit, Browser};
//! use workos_auth::{AuthenticationResponse, Callback, ConfidentialClient, RedirectUri};
//! # type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;
//!
//! async fn sign_in(client: &ConfidentialClient, browser: Browser) -> Outcome<AuthenticationResponse> {
//!     let login = client.authorize(RedirectUri::new("http://127.0.0.1:8080/callback")?).authkit().begin()?;
//!     let callback_url = browser.sign_in(login.url().as_str(), "ada@example.com").await?;
//!     Ok(login.exchange(Callback::from_url(&callback_url)?)?.send().await?)
//! }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Outcome {
//! # let authkit = AuthKit::start().await?;
//! # assert_eq!(sign_in(&authkit.confidential_client(), Browser::new()?).await?.user.email, "ada@example.com");
//! # Ok(())
//! # }
//! ```
//!
//! ## An expired token is refreshed
//!
//! ```
//! # use workos_auth::session::MemorySessionStore;
//! # use workos_auth::testing::{AuthKit, Browser};
//! # use workos_auth::{AuthenticationResponse, Callback, ConfidentialClient, RedirectUri, SessionManager, SessionState};
//! # type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;
//! use std::time::Duration;
//!
//! # async fn sign_in(client: &ConfidentialClient, browser: Browser) -> Outcome<AuthenticationResponse> {
//! #     let login = client.authorize(RedirectUri::new("http://127.0.0.1:8080/callback")?).authkit().begin()?;
//! #     let callback_url = browser.sign_in(login.url().as_str(), "ada@example.com").await?;
//! #     Ok(login.exchange(Callback::from_url(&callback_url)?)?.send().await?)
//! # }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Outcome {
//! let authkit = AuthKit::start().await?;
//! let client = authkit.confidential_client();
//! let sessions = SessionManager::new(client.clone(), MemorySessionStore::new());
//! let handle = sessions.sign_in(sign_in(&client, Browser::new()?).await?).await?;
//!
//! authkit.advance(Duration::from_secs(301)); // access tokens are valid for 5 minutes
//! assert!(matches!(sessions.authenticate(&handle).await, SessionState::Active(_)));
//! assert_eq!(authkit.refreshes(), 1);
//! # Ok(())
//! # }
//! ```
//!
//! ## A user with a second factor
//!
//! ```
//! # use workos_auth::session::MemorySessionStore;
//! # use workos_auth::testing::{AuthKit, Browser};
//! # use workos_auth::{AuthenticationResponse, Callback, ConfidentialClient, RedirectUri, SessionManager, SessionState};
//! # type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;
//! use workos_auth::testing::TestUser;
//!
//! # async fn sign_in(client: &ConfidentialClient, browser: Browser) -> Outcome<AuthenticationResponse> {
//! #     let login = client.authorize(RedirectUri::new("http://127.0.0.1:8080/callback")?).authkit().begin()?;
//! #     let callback_url = browser.sign_in(login.url().as_str(), "ada@example.com").await?;
//! #     Ok(login.exchange(Callback::from_url(&callback_url)?)?.send().await?)
//! # }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Outcome {
//! let authkit = AuthKit::builder().user(TestUser::new("ada@example.com").totp()).start().await?;
//! let client = authkit.confidential_client();
//! assert!(sign_in(&client, Browser::new()?).await.is_err(), "the browser is asked for a code");
//!
//! let code = authkit.totp_code("ada@example.com").ok_or("no second factor")?;
//! let response = sign_in(&client, Browser::new()?.with_code(code)).await?;
//! assert_eq!(response.user.email, "ada@example.com");
//! # Ok(())
//! # }
//! ```
//!
//! ## An outage of WorkOS
//!
//! ```
//! # use workos_auth::session::MemorySessionStore;
//! # use workos_auth::testing::{AuthKit, Browser};
//! # use workos_auth::{AuthenticationResponse, Callback, ConfidentialClient, RedirectUri, SessionManager, SessionState};
//! # type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;
//! use workos_auth::testing::{Endpoint, Fault};
//!
//! # async fn sign_in(client: &ConfidentialClient, browser: Browser) -> Outcome<AuthenticationResponse> {
//! #     let login = client.authorize(RedirectUri::new("http://127.0.0.1:8080/callback")?).authkit().begin()?;
//! #     let callback_url = browser.sign_in(login.url().as_str(), "ada@example.com").await?;
//! #     Ok(login.exchange(Callback::from_url(&callback_url)?)?.send().await?)
//! # }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Outcome {
//! let authkit = AuthKit::start().await?;
//! let client = authkit.confidential_client_builder().retries(0).build()?; // the test waits for no retries
//! let sessions = SessionManager::new(client.clone(), MemorySessionStore::new());
//! let handle = sessions.sign_in(sign_in(&client, Browser::new()?).await?).await?;
//! assert!(matches!(sessions.authenticate(&handle).await, SessionState::Active(_)));
//!
//! authkit.inject(Endpoint::All, Fault::Status(503, None), usize::MAX);
//! assert!(sign_in(&client, Browser::new()?).await.is_err());
//! // Whoever is signed in stays so while the token and the keys are good.
//! assert!(matches!(sessions.authenticate(&handle).await, SessionState::Active(_)));
//! # Ok(())
//! # }
//! ```
//!
//! ## An outage while a token is refreshed
//!
//! ```
//! # use workos_auth::session::MemorySessionStore;
//! # use workos_auth::testing::{AuthKit, Browser};
//! # use workos_auth::{AuthenticationResponse, Callback, ConfidentialClient, RedirectUri, SessionManager, SessionState};
//! # type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;
//! use std::time::Duration;
//! use workos_auth::testing::{Endpoint, Fault};
//!
//! # async fn sign_in(client: &ConfidentialClient, browser: Browser) -> Outcome<AuthenticationResponse> {
//! #     let login = client.authorize(RedirectUri::new("http://127.0.0.1:8080/callback")?).authkit().begin()?;
//! #     let callback_url = browser.sign_in(login.url().as_str(), "ada@example.com").await?;
//! #     Ok(login.exchange(Callback::from_url(&callback_url)?)?.send().await?)
//! # }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Outcome {
//! let authkit = AuthKit::start().await?;
//! let client = authkit.confidential_client_builder().retries(0).build()?;
//! let sessions = SessionManager::new(client.clone(), MemorySessionStore::new());
//! let handle = sessions.sign_in(sign_in(&client, Browser::new()?).await?).await?;
//!
//! authkit.advance(Duration::from_secs(301));
//! authkit.inject(Endpoint::Authenticate, Fault::LostBefore, usize::MAX);
//! assert!(matches!(sessions.authenticate(&handle).await, SessionState::TemporarilyUnknown(_)));
//! authkit.heal();
//! assert!(matches!(sessions.authenticate(&handle).await, SessionState::Active(_)));
//! # Ok(())
//! # }
//! ```
//!
//! ## A session that was ended elsewhere
//!
//! ```
//! # use workos_auth::session::MemorySessionStore;
//! # use workos_auth::testing::{AuthKit, Browser};
//! # use workos_auth::{AuthenticationResponse, Callback, ConfidentialClient, RedirectUri, SessionManager, SessionState};
//! # type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;
//! use std::time::Duration;
//!
//! # async fn sign_in(client: &ConfidentialClient, browser: Browser) -> Outcome<AuthenticationResponse> {
//! #     let login = client.authorize(RedirectUri::new("http://127.0.0.1:8080/callback")?).authkit().begin()?;
//! #     let callback_url = browser.sign_in(login.url().as_str(), "ada@example.com").await?;
//! #     Ok(login.exchange(Callback::from_url(&callback_url)?)?.send().await?)
//! # }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Outcome {
//! let authkit = AuthKit::start().await?;
//! let client = authkit.confidential_client();
//! let sessions = SessionManager::new(client.clone(), MemorySessionStore::new());
//! let handle = sessions.sign_in(sign_in(&client, Browser::new()?).await?).await?;
//!
//! authkit.end_sessions_of("ada@example.com")?;
//! authkit.advance(Duration::from_secs(301)); // a token that is out stays good until it expires
//! assert!(matches!(sessions.authenticate(&handle).await, SessionState::SignedOut(_)));
//! # Ok(())
//! # }
//! ```
//!
//! ## Permissions in an organization
//!
//! ```
//! # use workos_auth::session::MemorySessionStore;
//! # use workos_auth::testing::{AuthKit, Browser};
//! # use workos_auth::{AuthenticationResponse, Callback, ConfidentialClient, RedirectUri, SessionManager, SessionState};
//! # type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;
//! use workos_auth::testing::{TestMembership, TestUser};
//!
//! # async fn sign_in(client: &ConfidentialClient, browser: Browser) -> Outcome<AuthenticationResponse> {
//! #     let login = client.authorize(RedirectUri::new("http://127.0.0.1:8080/callback")?).authkit().begin()?;
//! #     let callback_url = browser.sign_in(login.url().as_str(), "ada@example.com").await?;
//! #     Ok(login.exchange(Callback::from_url(&callback_url)?)?.send().await?)
//! # }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Outcome {
//! let ada = TestUser::new("ada@example.com")
//!     .organization(TestMembership::new("org_one").role("admin").permission("posts:write"))
//!     .organization("org_two");
//! let authkit = AuthKit::builder().user(ada).start().await?;
//! let client = authkit.confidential_client();
//! let response = sign_in(&client, Browser::new()?).await?;
//! let token = client.verifier().verify(&response.access_token).await?;
//! assert!(token.in_organization(&"org_one".parse()?)?.has_permission("posts:write"));
//! assert!(token.in_organization(&"org_two".parse()?).is_err(), "the token is for the first organization");
//! # Ok(())
//! # }
//! ```
//!
//! ## In CI
//!
//! An AuthKit needs no network beyond loopback, no account and no secret. Each one listens on a port of its own and has its own
//! users, keys and clock, so tests that start their own run in parallel. Enable the feature `testing` for tests only:
//!
//! ```toml
//! [dev-dependencies]
//! # Until it is released, `path = …` instead of `version`: where the repository is.
//! workos-auth = { version = "0.1", features = ["testing"] }
//! ```
//!
//! A program in a process of its own finds the AuthKit by `WORKOS_CLIENT_ID`, `WORKOS_API_KEY` and `WORKOS_BASE_URL`. It has its own
//! clock: give the AuthKit a short [`access_token_lifetime`](AuthKitBuilder::access_token_lifetime) instead.
//!
//! For a try by hand in a real browser: `cargo run --example authkit`.
//!
//! # Time
//!
//! [`AuthKit::advance`] moves one clock, by which the server goes and every client that it has made: when tokens, codes and parked
//! logins expire, for how long keys are used and refreshes are replayed, when an injected fault ends.
//!
//! What waits for something real goes by tokio's time, and isn't moved: the timeouts of requests, `keys_timeout` and
//! `answer_within`; how long a session store keeps a session or a lock; how long
//! `LoopbackListener` listens. Pauses before a retry and between the polls of a device login take real time too, unless the AuthKit has a clock of
//! [`ManualClock::new`], with which they end at once. Where tokio's time is paused (`tokio::time::pause`), the default clock stands
//! still with it.

mod authkit;
mod browser;
mod clock;
#[cfg(feature = "server")]
mod session_store;

#[cfg(feature = "server")]
#[cfg_attr(docsrs, doc(cfg(feature = "server")))]
pub use authkit::{ActionVerdict, ConnectToken, TestMachine};
pub use authkit::{AuthKit, AuthKitBuilder, Endpoint, Fault, RadarDemand, TestApiKey, TestMembership, TestUser};
pub use browser::{Browser, BrowserError};
pub(crate) use clock::SeededRandom;
pub use clock::{ManualClock, Skew};
#[cfg(feature = "server")]
#[cfg_attr(docsrs, doc(cfg(feature = "server")))]
pub use session_store::{SessionStoreFault, check_session_store};
