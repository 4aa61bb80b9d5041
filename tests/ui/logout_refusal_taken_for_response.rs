//! A logout that failed is answered as if the request was refused.

use http::request::Parts;
use workos_auth::LoginHandlers;
use workos_auth::session::CookieSessions;

async fn misuse(handlers: &LoginHandlers<CookieSessions>, request: &Parts) -> http::Response<()> {
    match handlers.logout(request).await {
        Ok(response) => response,
        Err(error) => error.response(),
    }
}

fn main() {}
