//! A second factor's code is taken for right before it was sent.

use workos_auth::TotpCode;
use workos_auth::api::Mfa;
use workos_auth::id::AuthenticationChallengeId;

fn misuse(mfa: Mfa<'_>, id: &AuthenticationChallengeId, code: &TotpCode) -> bool {
    mfa.verify(id, code).is_ok()
}

fn main() {}
