//! Access tokens. Their claims can be read only after they were verified.
//!
//! | type | what it is |
//! | --- | --- |
//! | [`TokenVerifier`] | checks tokens; made by [`Client::verifier`](crate::Client::verifier) |
//! | [`VerifiedToken`] | a good token and its claims |
//! | [`Membership`] | its roles, permissions and entitlements in one organization |
//! | [`NotVerified`] | expired, invalid, or the signing keys are unavailable |
//! | [`ExpiredToken`] | says which session to refresh or end, and nothing about its user |
//!
//! ```no_run
//! # async fn run(client: workos_auth::PublicClient, token: workos_auth::AccessToken, organization: workos_auth::OrganizationId)
//! #     -> Result<bool, workos_auth::Error> {
//! let verifier = client.verifier();
//! let token = verifier.verify(&token).await?;
//! Ok(token.in_organization(&organization)?.has_permission("posts:write"))
//! # }
//! ```

mod claims;
mod jwks;
mod jws;
mod memory;
mod object;
mod texts;
mod verifier;

#[cfg(feature = "server")]
pub(crate) use claims::{Audience, Member, date, is_of_application};
pub use claims::{ExpiredToken, Membership, NamesSession, NoCustomClaims, VerifiedToken};
#[cfg(feature = "server")]
pub(crate) use jws::{Signatures, check_not_early};
#[cfg(feature = "server")]
pub(crate) use object::Object;
#[cfg(feature = "server")]
pub(crate) use texts::Text;
pub(crate) use verifier::unverified_session_id;
pub use verifier::{NotVerified, TokenVerifier};
