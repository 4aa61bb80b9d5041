//! A login that is blocked is continued.

use workos_auth::Confidential;
use workos_auth::step::BlockedLogin;

fn misuse(login: BlockedLogin<Confidential>) {
    let _ = login.into_pending_authentication_token();
}

fn main() {}
