//! A public client signs in with a password, which needs an API key.

use workos_auth::{EmailAddress, Password, PublicClient};

fn misuse(client: PublicClient, email: EmailAddress, password: Password) {
    let _ = client.authenticate_with_password(email, password);
}

fn main() {}
