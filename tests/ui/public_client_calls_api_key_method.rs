// A public client calls what needs an API key.
use workos_auth::{AuthorizationCode, PublicClient};

fn misuse(client: PublicClient, code: AuthorizationCode) {
    let _ = client.authenticate_with_code(code);
}

fn main() {}
