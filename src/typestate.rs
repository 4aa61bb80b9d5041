//! The traits and markers by which the compiler checks a login. Only generic code names them. All are sealed.
//!
//! | names | they say |
//! | --- | --- |
//! | [`HasClientId`], [`HasApiKey`], [`IsConfidential`] | what a client holds, for code that is generic over clients |
//! | [`Public`], [`Confidential`], [`ApiKeyOnly`], [`NoCredentials`], [`Credentials`] | the `K` of a [`Client<K>`](crate::Client) and of its builder |
//! | [`Target`], [`IsAuthKit`], [`IsOAuth`], [`IsProvider`], [`AuthKitTarget`], [`OAuthTarget`], [`SsoTarget`], [`NoTarget`] | what a login in the browser aims at |
//! | [`Flow`], [`ContinuesLogin`] | what signs a user in when it is sent; a step that one call answers |
//! | [`Parkable`], [`ParkableStep`] | what [`Parking`](crate::parking::Parking) seals |
//! | [`SessionLayer`] | what keeps the sessions of [`LoginHandlers`](crate::LoginHandlers) |
//! | [`NamesSession`] | a token that says which session it belongs to |
//!
//! ```
//! use workos_auth::typestate::HasClientId;
//! use workos_auth::{Client, Error, PkceSession, RedirectUri};
//!
//! fn begin<K: HasClientId>(client: &Client<K>, redirect: RedirectUri) -> Result<PkceSession<K>, Error> {
//!     client.authorize(redirect).authkit().begin()
//! }
//! ```

pub use crate::credentials::{
    ApiKeyOnly, Confidential, Credentials, HasApiKey, HasClientId, IsConfidential, NoCredentials, Public,
};
pub use crate::login::authorize::{
    AuthKitTarget, IsAuthKit, IsOAuth, IsProvider, NoTarget, OAuthTarget, SsoTarget, Target,
};
pub use crate::login::outcome::Flow;
pub use crate::login::parking::{Parkable, ParkableStep};
pub use crate::login::steps::ContinuesLogin;
#[cfg(feature = "server")]
#[cfg_attr(docsrs, doc(cfg(feature = "server")))]
pub use crate::session::SessionLayer;
pub use crate::token::NamesSession;
