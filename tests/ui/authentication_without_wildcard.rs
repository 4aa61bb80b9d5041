//! A match lists the steps of a login, and a new step would break it.

use workos_auth::{Public, Step};

fn misuse(step: Step<Public>) {
    match step {
        Step::MfaEnrollment(_) | Step::MfaChallenge(_) | Step::TotpChallenge(_) => {}
        Step::EmailVerification(_) | Step::OrganizationSelection(_) => {}
        Step::SsoRequired(_) | Step::OrganizationMethodsRequired(_) => {}
        Step::RadarEmailChallenge(_) | Step::RadarSmsSignUp(_) => {}
        Step::RadarSmsCode(_) | Step::Unfinished(_) | Step::Blocked(_) => {}
    }
}

fn main() {}
