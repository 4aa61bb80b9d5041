//! E-mail address and password are swapped.

use workos_auth::{ConfidentialClient, EmailAddress, Password};

fn misuse(client: ConfidentialClient, email: EmailAddress, password: Password) {
    let _ = client.authenticate_with_password(password, email);
}

fn main() {}
