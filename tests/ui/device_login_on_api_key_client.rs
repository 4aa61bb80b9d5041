//! A client without a client ID begins a device login.

use workos_auth::ApiKeyClient;

fn misuse(client: ApiKeyClient) {
    let _ = client.device_authorization();
}

fn main() {}
