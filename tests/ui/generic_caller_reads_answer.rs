//! The body of an answer is read by code that is generic over steps.

use workos_auth::typestate::ContinuesLogin;

fn misuse<S: ContinuesLogin>(step: &S, answer: &S::Answer) -> String {
    serde_json::to_string(&step.body(answer)).unwrap_or_default()
}

fn main() {}
