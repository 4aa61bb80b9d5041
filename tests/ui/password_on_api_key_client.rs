//! A client without a client ID signs a user in with a password.

use workos_auth::{ApiKeyClient, EmailAddress, Password};

fn misuse(client: ApiKeyClient, email: EmailAddress, password: Password) {
    let _ = client.authenticate_with_password(email, password);
}

fn main() {}
