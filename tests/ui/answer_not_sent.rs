//! A step is answered, and the answer is not sent.
#![deny(unused_must_use)]

use workos_auth::Confidential;
use workos_auth::secret::EmailVerificationCode;
use workos_auth::step::EmailVerification;

fn misuse(step: EmailVerification<Confidential>, code: EmailVerificationCode) {
    step.verify(code);
}

fn main() {}
