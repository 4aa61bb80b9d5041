//! An outage of the signing keys is forgotten.

use workos_auth::token::NotVerified;

fn misuse(problem: NotVerified) -> &'static str {
    match problem {
        NotVerified::Expired(_) => "refresh",
        NotVerified::Invalid(_) => "sign in",
    }
}

fn main() {}
