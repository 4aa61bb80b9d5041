//! The token of an application is taken for a signed-in user.

use workos_auth::VerifiedToken;
use workos_auth::connect::ResourceToken;

fn delete_account(user: &VerifiedToken) {}

fn misuse(token: &ResourceToken) {
    delete_account(token);
}

fn main() {}
