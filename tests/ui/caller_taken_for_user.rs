//! Whoever makes a request is taken for a user who is signed in.

use workos_auth::SignedIn;
use workos_auth::caller::Caller;

fn change_password(user: &SignedIn) {}

fn misuse(caller: &Caller) {
    change_password(caller);
}

fn main() {}
