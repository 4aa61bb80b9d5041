//! What a request presents is taken for its caller, and nobody verifies it.

use http::HeaderMap;
use workos_auth::caller::{Caller, Credential};
use workos_auth::error::NoBearerToken;

fn posts(caller: Caller) {}

fn misuse(headers: &HeaderMap) -> Result<(), NoBearerToken> {
    posts(Credential::of(headers)?);
    Ok(())
}

fn main() {}
