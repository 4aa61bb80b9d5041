//! A scope is named by a word.

use workos_auth::connect::{MissingScope, ResourceToken, Scoped};

struct ReadPosts;

fn misuse(token: ResourceToken) -> Result<Scoped<ReadPosts>, MissingScope> {
    Scoped::check(token)
}

fn main() {}
