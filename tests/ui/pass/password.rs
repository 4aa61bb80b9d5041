//! A login with a password. A step that the login needs is an error here.

use workos_auth::{AuthenticationResponse, ConfidentialClient, EmailAddress, Error, Password};

async fn sign_in(client: ConfidentialClient, email: &str, password: String) -> Result<AuthenticationResponse, Error> {
    let email = EmailAddress::new(email)?;
    Ok(client.authenticate_with_password(email, Password::new(password)).send().await?)
}

fn main() {}
