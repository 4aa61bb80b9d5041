// A step is built for a public client, which could not answer it.
use workos_auth::{AuthenticationChallengeId, PendingAuthenticationToken, PublicClient, TotpChallenge};

fn misuse(client: PublicClient, token: PendingAuthenticationToken, id: AuthenticationChallengeId) {
    let _ = TotpChallenge::from_parts(&client, token, id);
}

fn main() {}
