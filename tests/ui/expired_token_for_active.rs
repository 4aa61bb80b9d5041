//! An expired token decides nothing.

use workos_auth::{ExpiredToken, VerifiedToken};

fn may_publish(token: &VerifiedToken) -> bool {
    token.has_permission("posts:write")
}

fn run(token: &ExpiredToken) -> bool {
    may_publish(token)
}

fn main() {}
