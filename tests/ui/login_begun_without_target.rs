//! A login that handlers begin needs a target, too.

use http::request::Parts;
use workos_auth::{CookieSessions, LoginHandlers};

fn login(handlers: LoginHandlers<CookieSessions>, request: &Parts) {
    let response = handlers.begin_login_with(request, |login| login);
}

fn main() {}
