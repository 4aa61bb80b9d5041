//! Signing users in: the browser, the grants, the device login.
//!
//! | type | what it is |
//! | --- | --- |
//! | [`AuthorizationBuilder`] | the settings of a login in the browser; made by [`Client::authorize`](crate::Client::authorize) |
//! | [`PkceSession`], [`PlainSession`] | a login whose user is at the sign-in page |
//! | [`Callback`] | what the browser brings back |
//! | [`CodeExchange`], [`ImpersonationExchange`] | a code, ready to be exchanged |
//! | [`PasswordGrant`], [`MagicAuthGrant`], [`RefreshGrant`] | the other grants |
//! | [`DeviceLogin`] | a login that waits for another device (RFC 8628) |
//! | [`AuthenticationResponse`] | a signed-in user, with tokens |
//! | [`NotSignedIn`], [`NotFinished`] | a further step, a failure, or a device that isn't ready |
//!
//! Each `send` gives `Result<AuthenticationResponse, NotSignedIn<_>>`:
//!
//! ```no_run
//! # async fn run(client: workos_auth::PublicClient) -> Result<(), workos_auth::Error> {
//! let login = client.device_authorization().send().await?;
//! println!("Open {} and type {}", login.verification_uri(), login.user_code());
//! let response = login.wait().await?;
//! println!("Hello, {}", response.user.email);
//! # Ok(()) }
//! ```

pub(crate) mod authorize;
mod code;
mod device;
mod magic_auth;
pub(crate) mod outcome;
pub(crate) mod parking;
mod password;
mod pkce;
mod refresh;
pub(crate) mod steps;

pub use authorize::{AuthorizationBuilder, ScreenHint};
pub use code::{CodeExchange, ImpersonationExchange};
pub use device::{DeviceAuthorizationRequest, DeviceLogin, NotFinished};
pub use magic_auth::MagicAuthGrant;
pub use outcome::NotSignedIn;
pub use password::PasswordGrant;
pub use pkce::{Callback, PkceSession, PlainSession};
pub use refresh::RefreshGrant;

pub use crate::model::{
    AuthenticationMethod, AuthenticationResponse, Impersonator, OAuthTokens, Provider, RadarContext, RequestContext,
    Role, User,
};
