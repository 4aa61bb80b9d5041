//! A token is printed.

use workos_auth::AccessToken;

fn misuse(token: AccessToken) -> String {
    format!("{token}")
}

fn main() {}
