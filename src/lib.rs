#![doc = include_str!("../README.md")]
#![warn(missing_docs)]
#![cfg_attr(not(test), deny(clippy::expect_used, clippy::panic, clippy::unwrap_used))]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod authenticate;
mod authorize;
mod client;
mod credentials;
mod error;
mod id;
#[cfg(feature = "loopback")]
mod loopback;
mod model;
mod open_enum;
mod pkce;
mod runtime;
mod secret;
mod transport;
mod wire;

#[cfg(feature = "testing")]
pub mod testing;

pub use authenticate::{
    Authentication, CodeExchange, ImpersonationExchange, RefreshGrant, Rejected, RequestContext, UnfinishedLogin,
};
pub use authorize::{
    AuthKitTarget, AuthorizationBuilder, IsAuthKit, IsOAuth, NoTarget, OAuthTarget, Provider, ScreenHint, SsoTarget,
    Target,
};
pub use client::{ApiKeyClient, Client, ClientBuilder, ConfidentialClient, PublicClient};
pub use credentials::{ApiKeyOnly, Confidential, Credentials, HasApiKey, HasClientId, NoCredentials, Public};
pub use error::{ApiError, AuthorizationErrorCode, CallbackError, Error, ErrorCode, ErrorKind};
pub use id::{ClientId, ConnectionId, OrganizationId, RedirectUri, UserId};
#[cfg(feature = "loopback")]
pub use loopback::LoopbackListener;
pub use model::{AuthenticationMethod, AuthenticationResponse, Impersonator, OAuthTokens, User};
pub use pkce::{Callback, PkceSession, PlainSession};
pub use secrecy::ExposeSecret;
pub use secret::{
    AccessToken, ApiKey, AuthorizationCode, CodeVerifier, CookiePassword, InvitationToken, MagicAuthCode, Password,
    PendingAuthenticationToken, ProviderAccessToken, ProviderRefreshToken, RefreshToken, ServerMessage, SsoAccessToken,
    State, TotpCode,
};
pub use transport::{RESPONSE_LIMIT, Transport, TransportError, TransportErrorKind};
