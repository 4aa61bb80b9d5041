//! An API key passes the gate for users.

use workos_auth::api::ValidApiKey;
use workos_auth::handlers::{NotAdmitted, Permission, Permitted};

struct WritePosts;

impl Permission for WritePosts {
    const SLUG: &'static str = "posts:write";
}

fn misuse(key: ValidApiKey) -> Result<Permitted<WritePosts>, NotAdmitted> {
    Permitted::check(key)
}

fn main() {}
