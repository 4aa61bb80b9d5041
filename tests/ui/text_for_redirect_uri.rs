//! A redirect URI is given as a text that nobody has checked.

use workos_auth::PublicClient;

fn misuse(client: PublicClient) {
    let _ = client.authorize("https://example.com/callback");
}

fn main() {}
