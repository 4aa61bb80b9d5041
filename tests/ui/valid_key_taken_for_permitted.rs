//! A valid API key is taken for one with a permission.

use workos_auth::api::ValidApiKey;
use workos_auth::handlers::{Permission, PermittedKey};

struct WritePosts;

impl Permission for WritePosts {
    const SLUG: &'static str = "posts:write";
}

fn publish(_author: &PermittedKey<WritePosts>) {}

fn post(key: &ValidApiKey) {
    publish(key);
}

fn main() {
    let _ = post;
}
