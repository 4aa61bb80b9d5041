//! A permission is a text, whose spelling nobody checks.

use workos_auth::SignedIn;
use workos_auth::handlers::{NotAdmitted, Permitted};

fn misuse(user: SignedIn) -> Result<Permitted<&'static str>, NotAdmitted> {
    Permitted::check(user)
}

fn main() {}
