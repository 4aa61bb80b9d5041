//! Access tokens: verified first, read then.

mod claims;
mod jwks;
mod memory;
mod texts;
mod verifier;

pub use claims::{ExpiredToken, NamesSession, NoCustomClaims, VerifiedToken};
pub use verifier::{TokenCheck, TokenVerifier};
