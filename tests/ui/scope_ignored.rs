//! A scope is checked, and nobody looks at the result.
#![deny(unused_must_use)]

use workos_auth::connect::ResourceToken;

fn misuse(token: &ResourceToken) -> &'static str {
    token.scope("write:posts");
    "published"
}

fn main() {}
