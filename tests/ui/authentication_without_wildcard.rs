// A match over the outcome that a new step would break.
use workos_auth::{Authentication, Public};

fn misuse(authentication: Authentication<Public>) {
    match authentication {
        Authentication::Complete(_) => {}
        Authentication::MfaEnrollment(_) | Authentication::MfaChallenge(_) | Authentication::TotpChallenge(_) => {}
        Authentication::EmailVerification(_) | Authentication::OrganizationSelection(_) => {}
        Authentication::SsoRequired(_) | Authentication::OrganizationMethodsRequired(_) => {}
        Authentication::RadarEmailChallenge(_) | Authentication::RadarSmsSignUp(_) => {}
        Authentication::RadarSmsCode(_) | Authentication::Unfinished(_) | Authentication::Blocked(_) => {}
    }
}

fn main() {}
