//! A session cookie is made readable for scripts.

use workos_auth::SetCookie;

fn misuse(mut cookie: SetCookie) -> SetCookie {
    cookie.set_http_only(false);
    cookie
}

fn main() {}
