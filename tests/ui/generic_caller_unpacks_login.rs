//! A login that passed its state check is forged by code that is generic over what can be sealed.

use serde_json::json;
use workos_auth::typestate::Parkable;

fn misuse<F: Parkable>(login: &F) -> Option<F> {
    let details = json!({"redirect_uri": "https://example.com/callback", "return_path": null});
    F::unpack(login.caller().clone(), &["verifier", "known-state", "https://example.com"], details)
}

fn main() {}
