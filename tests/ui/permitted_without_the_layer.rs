//! A handler of axum takes a permitted user, and no layer asks for the session.

use workos_auth::handlers::{Permission, Permitted};

struct WritePosts;

impl Permission for WritePosts {
    const SLUG: &'static str = "posts:write";
}

#[axum::debug_handler]
async fn misuse(author: Permitted<WritePosts>) -> String {
    author.user().email.clone()
}

fn main() {}
