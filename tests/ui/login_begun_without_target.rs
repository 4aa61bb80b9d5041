//! Handlers begin a login without a place to sign in.

use http::request::Parts;
use workos_auth::LoginHandlers;
use workos_auth::session::CookieSessions;

fn login(handlers: LoginHandlers<CookieSessions>, request: &Parts) {
    let response = handlers.begin_login_with(request, |login| login);
}

fn main() {}
