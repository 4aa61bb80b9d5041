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
//! let client = Client::builder().client_id(authkit.client_id()).base_url(authkit.base_url()).build()?;
//!
//! let redirect = RedirectUri::new("http://127.0.0.1:8080/callback")?;
//! let session = client.authorize(redirect).authkit().begin()?;
//!
//! // The user signs in at `session.url()` and comes back with a code and a state:
//! let callback_url = Browser::new()?.sign_in(session.url().as_str(), "ada@example.com").await?;
//!
//! let callback = Callback::from_url(&callback_url)?;
//! let response = session.exchange(callback)?.send().await?.complete()?;
//! assert_eq!(response.user.email, "ada@example.com");
//!
//! // Later, for a new access token:
//! let response = client.authenticate_with_refresh_token(response.refresh_token).send().await?.complete()?;
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
//! | [`ApiKeyClient`] | an API key | what needs no client ID | become a [`ConfidentialClient`] |
//!
//! A `PublicClient` has no place for an API key and never looks at `WORKOS_API_KEY`. A call that a client can't make is a
//! compile error that says what to do instead.
//!
//! # The environment
//!
//! This crate reads variables only in `from_env()` and the builder's `…_from_env()`: `WORKOS_CLIENT_ID`, `WORKOS_API_KEY`,
//! `WORKOS_BASE_URL`, and for the proxy `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`. A client that is built in another way ignores
//! proxy variables. Which certificate authorities are trusted is the operating system's decision; on Linux and the BSDs the TLS
//! library takes those of `SSL_CERT_FILE` and `SSL_CERT_DIR` instead, where these are set.
//!
//! # A login in the browser
//!
//! [`Client::authorize`] takes where the browser comes back to, then a target ([AuthKit](AuthorizationBuilder::authkit), an
//! [OAuth provider](AuthorizationBuilder::oauth), an [SSO connection](AuthorizationBuilder::connection) or an
//! [organization](AuthorizationBuilder::organization)), then [`begin`](AuthorizationBuilder::begin)s. The [`PkceSession`]
//! keeps the verifier and the state. [`PkceSession::exchange`] consumes it, checks the state in constant time and gives a
//! [`CodeExchange`], whose [`send`](CodeExchange::send) talks to WorkOS.
//!
//! Command-line and desktop applications wait for the browser with a `LoopbackListener` (feature `loopback`).
//!
//! # What comes back
//!
//! An [`Authentication`] is complete, or it is a step: a second factor, a code of an e-mail, an organization to choose, SSO,
//! Radar. Each step is a type of its own whose only methods are the next legal calls, and whose answer is again an
//! `Authentication`. A failed call is [`Rejected`]: `?` makes
//! an [`Error`] of it, [`recover`](Rejected::recover) gives back the session, code or refresh token when it was not used up.
//! A forged callback, a refused connection or a 429 ends no login; a timeout or a 5xx ends no session.
//!
//! # Other ways to sign in
//!
//! Servers have [`authenticate_with_password`](Client::authenticate_with_password) and
//! [`authenticate_with_magic_auth`](Client::authenticate_with_magic_auth). Command lines without a browser beside them have
//! [`device_authorization`](Client::device_authorization).
//!
//! # After the login
//!
//! A [`TokenVerifier`] verifies access tokens; the claims of a [`VerifiedToken`] are what authorization decisions read. A [`Session`]
//! is [checked](Session::check), [refreshed](Session::refresh) with one request for all who hold it, and
//! [signed out](Session::sign_out). Servers keep it in a [`SessionCookie`], other applications its [`SessionParts`] in a
//! place of their own. A refresh that fails says whether the session was [kept or ended](RefreshError).
//!
//! # The session layer, for those who want it done
//!
//! A [`SessionManager`] keeps sessions in a [`SessionStore`] (memory, Redis with feature `redis`, or an application's own) and gives the
//! browser a random [`SessionHandle`]; [`CookieSessions`] keep them only in the sealed cookie. Both say [`SessionState`]: active,
//! signed out, or temporarily unknown, which is what an outage is. [`LoginHandlers`] answer the requests of a login in any web
//! framework. On a user's device, a [`TokenSession`] keeps the refresh token in a [`TokenStore`].
//!
//! # Between two requests, and after a restart
//!
//! A login or step that waits for a human is sealed with [`Parking`] by clients that hold an API key, in a
//! [cookie](LoginCookies) of the user's own browser if they like. Every client can put its login into a [`PkceStore`].
//!
//! # The endpoints that need an API key
//!
//! [`users`](Client::users), [`email_verification`](Client::email_verification), [`email_change`](Client::email_change),
//! [`password_reset`](Client::password_reset), [`magic_auth`](Client::magic_auth), [`sessions`](Client::sessions), [`mfa`](Client::mfa),
//! [`invitations`](Client::invitations), [`organization_memberships`](Client::organization_memberships) and
//! [`radar`](Client::radar) give an [`ApiRequest`] or a [`List`], which comes by the [`Page`] or as a stream of [`Items`].
//! [`request`](Client::request) calls what isn't modelled.
//!
//! # SSO without AuthKit
//!
//! [`Client::authorize_sso`] ends in a [`Profile`] and no session. Its access token is opaque, and opens the user's own profile with
//! [`Client::with_access_token`].
//!
//! # Secrets
//!
//! Keys, codes and tokens are types of their own, wiped when dropped, without `Display`, `Serialize` or `==`. Their one door is
//! [`ExposeSecret`]. Errors, `Debug` and [`tracing`] spans hold no secret, no URL with a query and no response body.
//!
//! # Errors and retries
//!
//! [`Error::kind`] is the cause; status, code, request ID and retry advice are there where they are known. The crate sends
//! again what may be sent again (RFC 6749 §4.1.2 forbids it for codes), and nothing else; [`ClientBuilder::retries`] says how
//! often. A refused answer to a step gives the step back in [`Rejected`] unless it ended the login. A server whose
//! [certificate](ErrorKind::Certificate) is refused gets nothing, and no second attempt.
//!
//! # Features
//!
//! `reqwest` (default) is the HTTP client behind `ClientBuilder::build`; without it, bring a [`Transport`]. `loopback` is
//! the redirect listener, `cookie` makes cookies of that crate, `keyring` has stores in the operating system's keyring, `redis` the
//! store for sessions in Redis, `redis-tls` the same over TLS, `token-file` the file of a command line's token, and `testing` an
//! AuthKit inside the process for the tests of applications.
#![warn(missing_docs)]
#![cfg_attr(not(test), deny(clippy::expect_used, clippy::panic, clippy::unwrap_used))]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod api;
mod base64url;
mod client;
mod cookies;
mod credentials;
pub mod danger;
mod envelope;
pub mod error;
mod files;
pub mod handlers;
pub mod id;
pub mod login;
#[cfg(feature = "loopback")]
mod loopback;
mod model;
mod open_enum;
mod rejected;
mod response;
mod runtime;
mod sealed;
pub mod secret;
pub mod session;
mod single_flight;
pub mod sso;
pub mod token;
pub mod transport;
mod wire;

#[cfg(feature = "testing")]
pub mod testing;

pub use client::{ApiKeyClient, Client, ClientBuilder, ConfidentialClient, PublicClient};
pub use credentials::{Confidential, Public};
pub use error::{Error, ErrorCode, ErrorKind};
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
pub use session::{
    ActiveSession, ExpiredSession, OpenedSession, Refreshed, SessionCookie, SessionManager, SessionState, SetCookie,
    SignedIn, SignedOut,
};
pub use token::{TokenVerifier, VerifiedToken};

pub mod parking {
    //! Logins that wait for a human: sealed by [`Parking`], in a [cookie](LoginCookies) of the user's browser, or in a [`PkceStore`].

    #[cfg(feature = "keyring")]
    pub use crate::login::parking::KeyringStore;
    pub use crate::login::parking::{
        DirectoryStore, LoginCookies, LoginHandle, MemoryStore, Parking, PkceStore, StoredLogin,
    };
}

pub mod step {
    //! Logins that are not finished. Each step owns what its next call needs, and its methods are the next legal calls.

    pub use crate::login::steps::{
        BlockedLogin, ChallengeRequest, EmailVerification, FactorChoice, MfaChallenge, MfaEnrollment,
        OrganizationChoice, OrganizationMethodsRequired, OrganizationSelection, PendingUser, RadarEmailChallenge,
        RadarSmsCode, RadarSmsRequest, RadarSmsSignUp, SsoRequired, Step, StepAnswer, TotpChallenge, TotpEnrollment,
        TotpEnrollmentRequest, UnfinishedLogin,
    };
    pub use crate::model::{AuthenticationFactorType, RadarSms};
}

pub mod typestate {
    //! What the compiler checks a login by: what a client holds, what a login aims at, and who may do what. Applications name these
    //! only where they are generic, such as `K: HasClientId`.

    pub use crate::credentials::{
        ApiKeyOnly, Confidential, Credentials, HasApiKey, HasClientId, IsConfidential, NoCredentials, Public,
    };
    pub use crate::login::authorize::{
        AuthKitTarget, IsAuthKit, IsOAuth, IsProvider, NoTarget, OAuthTarget, SsoTarget, Target,
    };
    pub use crate::login::outcome::Flow;
    pub use crate::login::parking::{Parkable, ParkableStep};
    pub use crate::login::steps::ContinuesLogin;
    pub use crate::session::SessionLayer;
    pub use crate::token::NamesSession;
}

/// The README's examples, compiled and run with the others.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
