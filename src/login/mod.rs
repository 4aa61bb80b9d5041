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

use http::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use authorize::{AuthorizationBuilder, ScreenHint};
pub use code::{CodeExchange, ImpersonationExchange};
pub use device::{DeviceAuthorizationRequest, DeviceLogin, NotFinished};
pub use magic_auth::MagicAuthGrant;
pub use outcome::NotSignedIn;
pub use password::PasswordGrant;
pub use pkce::{Callback, PkceSession, PlainSession};
pub use refresh::RefreshGrant;

use crate::client::Caller;
use crate::error::Error;
pub use crate::model::{
    AuthenticationMethod, AuthenticationResponse, Impersonator, OAuthTokens, Provider, RadarContext, RequestContext,
    Role, User,
};
use crate::transport::{self, Body, Call, Failure, Reply, RequestKind, Route};
use crate::wire::{self, TokenRequest};
use outcome::LoginReply;

/// Sends one grant, with the client secret of a confidential client, and reads the reply.
async fn authenticate<K>(
    caller: &Caller<K>,
    grant_type: &'static str,
    grant: impl Serialize,
    kind: RequestKind,
) -> Result<LoginReply, Failure> {
    submit(caller, &TokenRequest::new(grant_type, caller.identity(), grant), kind).await
}

async fn submit<K>(
    caller: &Caller<K>,
    request: &TokenRequest<'_, impl Serialize>,
    kind: RequestKind,
) -> Result<LoginReply, Failure> {
    post(caller, wire::AUTHENTICATE.into(), request, kind).await.and_then(LoginReply::read)
}

/// Sends a call between the steps of a login, and reads the reply.
async fn call<T: DeserializeOwned, K>(
    caller: &Caller<K>,
    route: Result<Route, Error>,
    body: &impl Serialize,
) -> Result<T, Failure> {
    let route = route.map_err(Failure::unsent)?;
    post(caller, route, body, RequestKind::Credential).await.and_then(transport::read)
}

async fn post<K>(caller: &Caller<K>, route: Route, body: &impl Serialize, kind: RequestKind) -> Result<Reply, Failure> {
    let call = Call {
        method: Method::POST,
        route,
        authorization: caller.identity().api_key.map(wire::bearer).transpose().map_err(Failure::unsent)?,
        body: wire::body(body).map(Body::Json).map_err(Failure::unsent)?,
        kind,
    };
    caller.client.core.send(call).await
}
