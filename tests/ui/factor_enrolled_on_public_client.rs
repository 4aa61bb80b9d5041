// A public client enrols a factor, which needs an API key.
use workos_auth::{MfaEnrollment, Public};

fn misuse(step: MfaEnrollment<Public>) {
    let _ = step.enroll_totp("Example", "ada@example.com");
}

fn main() {}
