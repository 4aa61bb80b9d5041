//! Access tokens: verified first, read then.

mod claims;
mod jwks;
mod memory;
mod object;
mod texts;
mod verifier;

pub use claims::{ExpiredToken, NamesSession, NoCustomClaims, VerifiedToken};
pub(crate) use jwks::KeyCaches;
pub use verifier::{TokenCheck, TokenVerifier};
