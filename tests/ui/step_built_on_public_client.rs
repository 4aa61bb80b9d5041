//! A step is built for a public client, which can't answer it.

use workos_auth::PublicClient;
use workos_auth::id::AuthenticationChallengeId;
use workos_auth::secret::PendingAuthenticationToken;
use workos_auth::step::TotpChallenge;

fn misuse(client: PublicClient, token: PendingAuthenticationToken, id: AuthenticationChallengeId) {
    let _ = TotpChallenge::from_parts(&client, token, id);
}

fn main() {}
