//! The refresh token is taken out by code that is generic over logins.

use workos_auth::RefreshToken;
use workos_auth::typestate::Flow;

fn misuse<F: Flow>(login: F) -> Option<RefreshToken> {
    login.into_refresh_token().ok()
}

fn main() {}
