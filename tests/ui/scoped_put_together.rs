//! A token with a scope is put together by hand.

use std::marker::PhantomData;

use workos_auth::connect::{ResourceToken, Scoped};

struct WritePosts;

fn misuse(token: ResourceToken) -> Scoped<WritePosts> {
    Scoped { token, scope: PhantomData }
}

fn main() {}
