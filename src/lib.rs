//! Sign users in with WorkOS AuthKit, so that a wrong authentication flow does not compile.
//!
//! ```
//! use workos_auth::testing::{AuthKit, Browser};
//! use workos_auth::{Callback, Client, RedirectUri};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // An AuthKit inside the process; an application writes `PublicClient::from_env()?` instead.
//! let authkit = AuthKit::start().await?;
//! let client = authkit.public_client();
//!
//! let redirect = RedirectUri::new("http://127.0.0.1:8080/callback")?;
//! let session = client.authorize(redirect).authkit().begin()?;
//!
//! // The user signs in at `session.url()` and comes back with a code and a state:
//! let callback_url = Browser::new()?.sign_in(session.url().as_str(), "ada@example.com").await?;
//!
//! let callback = Callback::from_url(&callback_url)?;
//! let response = session.exchange(callback)?.send().await?;
//! assert_eq!(response.user.email, "ada@example.com");
//!
//! // Later, for a new access token:
//! let response = client.authenticate_with_refresh_token(response.refresh_token).send().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Which client
//!
//! | client | holds | for | can |
//! | --- | --- | --- | --- |
//! | [`PublicClient`] | a client ID | command line, desktop, mobile | log in with PKCE or a device code, refresh |
//! | [`ConfidentialClient`] | a client ID and an API key | servers | everything |
//! | [`ApiKeyClient`] | an API key | calls that need no client ID | become a [`ConfidentialClient`] |
//!
//! A `PublicClient` has no place for an API key and never reads `WORKOS_API_KEY`. A call that a client can't make is a
//! compile error that says what to do instead. A program that calls other services for itself, without a user, holds a
//! [`MachineClient`](connect::MachineClient).
//!
//! # What comes back
//!
//! `Ok` means that what the name says has happened. Everything else is in the `Err`, with the value that can be used again.
//!
//! | call | `Ok` | `Err` |
//! | --- | --- | --- |
//! | [`exchange`](PkceSession::exchange) | the state was right | [`Rejected`]: the session comes back |
//! | `send` of a login or of a step's answer | [`AuthenticationResponse`]: the user is signed in | [`NotSignedIn`]: a [`Step`], or [`Rejected`] |
//! | [`TokenVerifier::verify`] | [`VerifiedToken`] | [`NotVerified`](token::NotVerified): expired, invalid, or the keys are unavailable |
//! | [`ResourceServer::admit`](connect::ResourceServer::admit) | [`ResourceToken`](connect::ResourceToken) | [`NotAuthorized`](connect::NotAuthorized): no token, not accepted, or the keys are unavailable |
//! | [`ApiKeyValidator::admit`](api::ApiKeyValidator::admit) | [`ValidApiKey`](api::ValidApiKey) | [`KeyNotAdmitted`](handlers::KeyNotAdmitted): no key, invalid, too many keys, or nobody can tell |
//! | [`MachineClient::token`](connect::MachineClient::token) | [`MachineToken`](connect::MachineToken) with all scopes that were asked for | [`Error`] |
//! | [`Actions::verify`](action::Actions::verify) | [`Action`](action::Action): WorkOS's question, which waits for an answer | [`ActionError`](action::ActionError) |
//! | [`OpenedSession::check`] | [`ActiveSession`] | [`NotActive`](session::NotActive): expired, invalid, or the keys are unavailable |
//! | [`ActiveSession::refresh`] | [`Refreshed`]: new tokens, to be kept before use | [`RefreshError`](session::RefreshError): the session was kept, or it ended |
//! | `send` of an API call | the API's answer | [`Error`] |
//!
//! `?` turns each of these into an [`Error`], but for [`NotAuthorized`](connect::NotAuthorized) and [`ActionError`](action::ActionError):
//! they know the response to give. [`Rejected::recover`] gives back the session, code or refresh token if it was not used
//! up. A forged callback, a refused connection or a 429 ends no login. A timeout or a 5xx ends no session.
//!
//! A session layer says [`SessionState`]: active, signed out, or temporarily unknown. An outage is temporarily unknown.
//!
//! # Modules
//!
//! The root has the names of a first login and session. The others are in modules by subject:
//!
//! | module | what is in it |
//! | --- | --- |
//! | [`login`] | grants, device login, what a login brings |
//! | [`step`] | what a login may need before it is finished |
//! | [`parking`] | logins that wait for a human: sealed, in cookies, in stores |
//! | [`session`] | sessions: checked, refreshed, kept in cookies and stores |
//! | [`handlers`] | the requests of a login in any web framework |
//! | [`webhook`] | WorkOS's webhooks: verified events, each handled once |
//! | [`caller`] | who makes a request: a user, an application with a token, or a customer's API key |
//! | [`action`] | WorkOS's Actions: verified questions whether somebody may sign in or register, and signed answers |
//! | [`token`] | access tokens and their claims |
//! | [`connect`] | the tokens of OAuth and M2M applications and of MCP clients, for APIs that they call |
//! | [`api`] | the endpoints that need an API key |
//! | [`sso`] | SSO without AuthKit |
//! | [`secret`] | keys, codes and tokens |
//! | [`id`] | identifiers and addresses |
//! | [`error`] | errors, their codes and reasons |
//! | [`transport`] | what sends the requests |
//! | [`danger`] | functions that leave out a check |
//! | [`typestate`] | names for code that is generic over clients and logins |
//! | [`reexports`] | the crates that public signatures name |
//! | [`guide`] | guides: servers, callers, command lines, operations, coming from another crate |
#![cfg_attr(
    feature = "tower",
    doc = "| [`tower`](crate::tower) | the session of each request, for services of tower |"
)]
#![cfg_attr(
    feature = "axum",
    doc = "| [`axum`](crate::axum) | extractors, the routes of a login, and responses for axum |"
)]
#![cfg_attr(feature = "testing", doc = "| [`testing`] | an AuthKit inside the process, for tests |")]
//!
//! # A login in the browser
//!
//! [`Client::authorize`] takes the address that the browser comes back to. Then choose a target:
//! [AuthKit](login::AuthorizationBuilder::authkit), an [OAuth provider](login::AuthorizationBuilder::oauth), an
//! [SSO connection](login::AuthorizationBuilder::connection) or an [organization](login::AuthorizationBuilder::organization).
//! [`begin`](login::AuthorizationBuilder::begin) gives a [`PkceSession`], which keeps the verifier and the state.
//! [`PkceSession::exchange`] consumes it, checks the state in constant time and gives a [`CodeExchange`], whose
//! [`send`](CodeExchange::send) talks to WorkOS.
//!
//! Command-line and desktop applications wait for the browser with a `LoopbackListener` (feature `loopback`).
//!
//! # Other ways to sign in
//!
//! Servers have [`authenticate_with_password`](Client::authenticate_with_password) and
//! [`authenticate_with_magic_auth`](Client::authenticate_with_magic_auth). Command lines without a browser have
//! [`device_authorization`](Client::device_authorization).
//!
//! # After the login
//!
//! A [`TokenVerifier`] verifies access tokens. Authorization decisions read the claims of a [`VerifiedToken`].
//!
//! Servers keep a session in a [`SessionCookie`]; other applications keep its [`SessionParts`](session::SessionParts) in a place of
//! their own. Either gives an [`OpenedSession`], which says nothing about its user until it is [checked](OpenedSession::check).
//! Many callers may [refresh](ActiveSession::refresh) the same session at once: one request is sent.
//!
//! # A session layer that is ready
//!
//! A [`SessionManager`] keeps sessions in a [`SessionStore`](session::SessionStore): in memory, in Redis (feature `redis`), in
//! PostgreSQL or SQLite (features `sqlx-postgres`, `sqlx-sqlite`) or in an application's own. The browser gets a random
//! [`SessionHandle`](secret::SessionHandle). A webhook ends sessions at once when WorkOS says so: [`SessionManager::apply`].
//! [`CookieSessions`](session::CookieSessions) keep sessions only in the sealed cookie. [`LoginHandlers`] answer the requests of a
//! login in any web framework; the features `tower` and `axum` put them into one. On a user's device, a
//! [`TokenSession`](session::TokenSession) keeps the refresh token in a [`TokenStore`](session::TokenStore).
//!
//! # An API or an MCP server
//!
//! Applications call an API with an access token. The AuthKit domain issues it to an OAuth or M2M application or to an MCP client. A
//! [`ResourceServer`](connect::ResourceServer) verifies it, and tells a client that has none where to get one. The access token of a user's
//! session is another type: neither is accepted for the other.
//!
//! Customers call it with an API key: an [`ApiKeyValidator`](api::ApiKeyValidator) asks WorkOS about it. A [`Caller`](caller::Caller) is a
//! user, an application or a customer. [`Actions`](action::Actions) are questions of WorkOS itself. All callers in one table: the guide
//! [who calls your server](guide::callers).
//!
//! # Between two requests, and after a restart
//!
//! A client that holds an API key seals a login or step that waits for a human with [`Parking`](parking::Parking), for example in a
//! [cookie](parking::LoginCookies) of the user's browser. Every client can put its login into a [`PkceStore`](parking::PkceStore).
//!
//! # Secrets
//!
//! Keys, codes and tokens are types of their own. They are wiped when dropped, and have no `Display`, `Serialize` or `==`. Only
//! [`ExposeSecret`] shows them. Errors, `Debug` and [`tracing`] spans hold no secret, no URL with a query and no response body.
//!
//! # Errors and retries
//!
//! [`Error::kind`] is the cause. Status, code, request ID and retry advice are there where they are known. The crate sends again only
//! what may be sent again (RFC 6749 §4.1.2 forbids it for codes); [`ClientBuilder::retries`] says how often. A server whose
//! [certificate](ErrorKind::Certificate) is refused gets nothing, and no second attempt.
//!
//! # The environment
//!
//! This crate reads variables only in `from_env()` and the builder's `…_from_env()`: `WORKOS_CLIENT_ID`, `WORKOS_API_KEY`,
//! `WORKOS_BASE_URL`, `WORKOS_COOKIE_PASSWORD`, and for the proxy `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`. A client that is built in another way ignores
//! proxy variables. The operating system decides which certificate authorities are trusted; on Linux and the BSDs the TLS
//! library takes those of `SSL_CERT_FILE` and `SSL_CERT_DIR` instead, where these are set.
//!
//! # Features
//!
//! | feature | what it adds |
//! | --- | --- |
//! | `reqwest` (default) | the HTTP client behind `ClientBuilder::build` |
//! | `hyper` | a lighter one, which `ClientBuilder::build` uses without `reqwest`; without both, bring a [`Transport`](transport::Transport) |
//! | `http2` | HTTP/2 in `reqwest` and `hyper` |
//! | `api` (default) | the endpoints that need an API key, and SSO without AuthKit |
//! | `server` (default) | what only servers need: cookies, session layers and their stores, handlers, webhooks, Actions, other callers, and machines; it includes `api` |
//! | `loopback` | the redirect listener |
//! | `cookie` | cookies of the crate `cookie` |
//! | `keyring` | stores in the operating system's keyring |
//! | `redis`, `redis-tls` | a store for sessions in Redis, and the same over TLS |
//! | `redis-cluster`, `redis-sentinel` | the same in a Redis Cluster, and through Redis Sentinel |
//! | `sqlx-postgres`, `sqlx-sqlite` | a store for sessions in PostgreSQL and in SQLite; they need Rust 1.94 |
//! | `files` | a file for the refresh token of a command line, and a directory for logins |
//! | `testing` | an AuthKit inside the process, for the tests of applications |
//! | `tower` | the session of each request in its extensions, and its headers on the response |
//! | `axum` | the same with extractors, and the routes of a login |
//!
//! `cookie`, `redis`, `sqlx-postgres`, `sqlx-sqlite`, `tower` and `axum` include `server`. A command line leaves the default features out
//! and takes what it needs, such as `reqwest`, `loopback` and `keyring`.
#![warn(missing_docs)]
#![cfg_attr(not(test), deny(clippy::expect_used, clippy::panic, clippy::unwrap_used))]
#![cfg_attr(docsrs, feature(doc_cfg))]
// What a feature adds is linked to from everywhere.
#![cfg_attr(not(feature = "server"), allow(rustdoc::broken_intra_doc_links))]
// What only the modules of a feature call is no part of the program without them. All features together have no dead code.
#![cfg_attr(not(feature = "server"), allow(dead_code))]

#[cfg(feature = "server")]
#[cfg_attr(docsrs, doc(cfg(feature = "server")))]
pub mod action;
mod address;
#[cfg(feature = "api")]
#[cfg_attr(docsrs, doc(cfg(feature = "api")))]
pub mod api;
mod authorization;
#[cfg(feature = "axum")]
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
pub mod axum;
mod base64url;
#[cfg(feature = "server")]
#[cfg_attr(docsrs, doc(cfg(feature = "server")))]
pub mod caller;
mod client;
#[cfg(feature = "server")]
#[cfg_attr(docsrs, doc(cfg(feature = "server")))]
pub mod connect;
#[cfg(feature = "server")]
mod cookies;
mod credentials;
pub mod danger;
mod envelope;
mod environment;
pub mod error;
#[cfg(any(feature = "files", feature = "keyring"))]
mod files;
#[cfg(any(doc, doctest))]
pub mod guide;
#[cfg(feature = "server")]
#[cfg_attr(docsrs, doc(cfg(feature = "server")))]
pub mod handlers;
pub mod id;
pub mod login;
#[cfg(feature = "loopback")]
mod loopback;
mod model;
mod open_enum;
pub mod parking;
pub mod reexports;
mod rejected;
#[cfg(feature = "server")]
mod response;
mod runtime;
mod sealed;
pub mod secret;
pub mod session;
#[cfg(feature = "server")]
mod signature;
mod single_flight;
#[cfg(feature = "api")]
#[cfg_attr(docsrs, doc(cfg(feature = "api")))]
pub mod sso;
pub mod step;
mod tasks;
pub mod token;
#[cfg(feature = "tower")]
#[cfg_attr(docsrs, doc(cfg(feature = "tower")))]
pub mod tower;
pub mod transport;
pub mod typestate;
mod typestate_hints;
#[cfg(feature = "server")]
#[cfg_attr(docsrs, doc(cfg(feature = "server")))]
pub mod webhook;
mod wiped;
mod wire;

#[cfg(feature = "testing")]
pub mod testing;

pub use client::{ApiKeyClient, Client, ClientBuilder, ConfidentialClient, PublicClient};
pub use credentials::{Confidential, Public};
pub use error::{Error, ErrorCode, ErrorKind};
#[cfg(feature = "server")]
#[cfg_attr(docsrs, doc(cfg(feature = "server")))]
pub use handlers::LoginHandlers;
pub use id::{ClientId, EmailAddress, OrganizationId, RedirectUri, ReturnPath, UserId};
pub use login::steps::Step;
pub use login::{Callback, CodeExchange, NotSignedIn, PkceSession};
#[cfg(feature = "loopback")]
pub use loopback::LoopbackListener;
pub use model::{AuthenticationResponse, Provider, User};
pub use rejected::Rejected;
pub use secrecy::ExposeSecret;
pub use secret::{AccessToken, CookiePassword, Password, RefreshToken, TotpCode};
pub use session::{ActiveSession, ExpiredSession, OpenedSession, Refreshed, SessionState, SignedIn, SignedOut};
#[cfg(feature = "server")]
#[cfg_attr(docsrs, doc(cfg(feature = "server")))]
pub use session::{SessionCookie, SessionManager, SetCookie};
pub use token::{TokenVerifier, VerifiedToken};

/// The README's examples, compiled and run with the others.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
