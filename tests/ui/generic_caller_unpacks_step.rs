//! A step is forged by code that is generic over steps that can be sealed.

use workos_auth::typestate::ParkableStep;

fn misuse<S: ParkableStep>(step: &S) -> Vec<String> {
    step.pack().secrets.iter().map(ToString::to_string).collect()
}

fn main() {}
