//! The token of a machine is verified as that of a user's session.

use workos_auth::TokenVerifier;
use workos_auth::connect::MachineToken;

async fn verify(verifier: TokenVerifier, token: MachineToken) {
    let _ = verifier.verify(&token).await;
    let _ = verifier.verify(token.access_token()).await;
}

fn main() {
    let _ = verify;
}
