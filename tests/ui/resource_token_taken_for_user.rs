//! An application's access token is taken for a user who is signed in.

use workos_auth::SignedIn;
use workos_auth::connect::ResourceToken;

fn change_password(user: &SignedIn) {}

fn misuse(token: &ResourceToken) {
    change_password(token);
}

fn main() {}
