//! A login whose authorization URL the application builds itself: it keeps the state.

use workos_auth::secret::State;
use workos_auth::{AuthenticationResponse, Callback, ConfidentialClient, Error};

async fn finish(client: ConfidentialClient, kept: State, url: &str) -> Result<AuthenticationResponse, Error> {
    let code = Callback::from_url(url)?.code_for(&kept)?;
    Ok(client.authenticate_with_code(code).send().await?)
}

fn main() {}
