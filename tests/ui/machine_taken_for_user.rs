//! A machine is taken for a user.

use workos_auth::UserId;
use workos_auth::connect::ResourceToken;

fn inbox(of: &UserId) {}

fn misuse(token: &ResourceToken) {
    inbox(token.user_id());
}

fn main() {}
