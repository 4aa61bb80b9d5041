//! The profile of an SSO login is taken for a user.

use workos_auth::User;
use workos_auth::sso::SsoLogin;

fn greet(user: &User) -> String {
    format!("hello, {}", user.email)
}

fn misuse(login: &SsoLogin) -> String {
    greet(&login.profile)
}

fn main() {}
