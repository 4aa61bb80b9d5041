//! A login from a command line without a browser (RFC 8628): show a code, wait, signed in.
//!
//! Without `WORKOS_CLIENT_ID` it signs in to an AuthKit inside this process; with it, to the real service.
//!
//! ```text
//! cargo run --example device_login
//! ```

use std::env;
use std::error::Error;

use workos_auth::login::DeviceLogin;
use workos_auth::testing::{AuthKit, Browser};
use workos_auth::{Public, PublicClient};

type Result<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

#[tokio::main]
async fn main() -> Result<()> {
    if env::var_os("WORKOS_CLIENT_ID").is_some_and(|id| !id.is_empty()) {
        let login = begin(&PublicClient::from_env()?).await?;
        return finish(login).await;
    }
    println!("WORKOS_CLIENT_ID is not set: signing in to an AuthKit inside this process.\n");
    let authkit = AuthKit::start().await?;
    let client = authkit.public_client();
    let login = begin(&client).await?;
    // The user, on the other device.
    if let Some(address) = login.verification_uri_complete() {
        Browser::new()?.approve_device(address.as_str(), "ada@example.com").await?;
    }
    finish(login).await
}

async fn begin(client: &PublicClient) -> Result<DeviceLogin<Public>> {
    let login = client.device_authorization().send().await?;
    println!("Open       {}", login.verification_uri());
    println!("Type       {}", login.user_code());
    println!("Within     {} s", login.expires_in().as_secs());
    Ok(login)
}

async fn finish(login: DeviceLogin<Public>) -> Result<()> {
    let response = login.wait().await?;
    println!("Signed in  {} ({})", response.user.email, response.user.id);
    Ok(())
}
