//! Access tokens. Their claims can be read only after a verifier has checked them.

mod claims;
mod jwks;
mod memory;
mod object;
mod texts;
mod verifier;

pub use claims::{ExpiredToken, Membership, NamesSession, NoCustomClaims, VerifiedToken};
pub use verifier::{NotVerified, TokenVerifier};
