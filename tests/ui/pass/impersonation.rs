//! An administrator acts as a user: the callback has no state, and another login than an impersonation is refused.

use workos_auth::{AuthenticationResponse, Callback, ConfidentialClient, Error};

async fn accept(client: ConfidentialClient, callback: Callback) -> Result<AuthenticationResponse, Error> {
    Ok(client.accept_impersonation(callback)?.send().await?)
}

fn main() {}
