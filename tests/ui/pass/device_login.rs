//! A login that the user finishes on another device.

use workos_auth::login::NotFinished;
use workos_auth::{AuthenticationResponse, Error, PublicClient};

async fn wait(client: PublicClient) -> Result<AuthenticationResponse, Error> {
    let login = client.device_authorization().send().await?;
    println!("open {} and type {}", login.verification_uri(), login.user_code());
    Ok(login.wait().await?)
}

async fn poll(client: PublicClient) -> Result<AuthenticationResponse, Error> {
    let mut login = client.device_authorization().send().await?;
    loop {
        login = match login.poll().await {
            Ok(response) => return Ok(response),
            Err(NotFinished::Pending(login)) => login,
            Err(other) => return Err(other.into()),
        };
        pause(login.interval()).await;
    }
}

async fn pause(_: std::time::Duration) {}

fn main() {}
