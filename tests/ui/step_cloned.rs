//! A step is cloned, to be answered twice.

use workos_auth::Confidential;
use workos_auth::step::EmailVerification;

fn misuse(step: &EmailVerification<Confidential>) -> EmailVerification<Confidential> {
    step.clone()
}

fn main() {}
