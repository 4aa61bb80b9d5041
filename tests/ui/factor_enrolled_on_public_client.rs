//! A public client enrols a factor, which needs an API key.

use workos_auth::Public;
use workos_auth::step::MfaEnrollment;

fn misuse(step: MfaEnrollment<Public>) {
    let _ = step.enroll_totp("Example", "ada@example.com");
}

fn main() {}
