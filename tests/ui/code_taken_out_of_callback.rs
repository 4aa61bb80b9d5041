//! A code is taken out of a callback without its state.

use workos_auth::{Callback, ConfidentialClient, Error};

fn misuse(client: ConfidentialClient, callback: Callback) -> Result<(), Error> {
    let _ = client.authenticate_with_code(callback.code()?);
    Ok(())
}

fn main() {}
