//! A signed-in user is asked for a permission without an organization.

use workos_auth::SignedIn;

fn misuse(signed_in: &SignedIn) -> bool {
    signed_in.has_permission("posts:write")
}

fn main() {}
