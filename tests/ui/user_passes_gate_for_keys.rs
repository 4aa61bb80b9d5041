//! A user passes the gate for API keys.

use workos_auth::SignedIn;
use workos_auth::handlers::{KeyNotAdmitted, Permission, PermittedKey};

struct WritePosts;

impl Permission for WritePosts {
    const SLUG: &'static str = "posts:write";
}

fn misuse(user: SignedIn) -> Result<PermittedKey<WritePosts>, KeyNotAdmitted> {
    Ok(PermittedKey::check(user)?)
}

fn main() {}
