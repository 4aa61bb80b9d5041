// A step is cloned, so that its token could be used twice.
use workos_auth::{Confidential, EmailVerification};

fn misuse(step: &EmailVerification<Confidential>) -> EmailVerification<Confidential> {
    step.clone()
}

fn main() {}
