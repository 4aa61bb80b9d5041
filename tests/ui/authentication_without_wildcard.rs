// A match over the outcome that a new step would break.
use workos_auth::{Authentication, Public};

fn misuse(authentication: Authentication<Public>) {
    match authentication {
        Authentication::Complete(_) => {}
        Authentication::Unfinished(_) => {}
    }
}

fn main() {}
