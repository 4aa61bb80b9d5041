//! An API key is taken for a user who is signed in.

use workos_auth::SignedIn;
use workos_auth::api::ValidApiKey;

fn change_password(user: &SignedIn) {}

fn misuse(key: &ValidApiKey) {
    change_password(key);
}

fn main() {}
