//! A public client calls the endpoints that need an API key.

use workos_auth::PublicClient;

fn all(client: &PublicClient) {
    let _ = client.email_verification();
    let _ = client.email_change();
    let _ = client.password_reset();
    let _ = client.magic_auth();
    let _ = client.sessions();
    let _ = client.mfa();
    let _ = client.invitations();
    let _ = client.organization_memberships();
    let _ = client.radar();
}

fn main() {
    all(&PublicClient::new("client_123").unwrap());
}
