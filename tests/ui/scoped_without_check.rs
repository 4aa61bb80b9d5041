//! A token is taken for one with a scope.

use workos_auth::connect::{ResourceToken, Scoped};

struct WritePosts;

fn publish(author: Scoped<WritePosts>) {}

fn misuse(token: ResourceToken) {
    publish(token);
}

fn main() {}
