//! A permission of an API key is claimed without the check.

use std::marker::PhantomData;

use workos_auth::api::ValidApiKey;
use workos_auth::handlers::{Permission, PermittedKey};

struct WritePosts;

impl Permission for WritePosts {
    const SLUG: &'static str = "posts:write";
}

fn claim(key: ValidApiKey) -> PermittedKey<WritePosts> {
    PermittedKey { key, permission: PhantomData }
}

fn main() {
    let _ = claim;
}
