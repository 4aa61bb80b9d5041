//! A login is begun and forgotten.
#![deny(unused_must_use)]

use workos_auth::{Error, PublicClient, RedirectUri};

fn misuse(client: PublicClient, redirect: RedirectUri) -> Result<(), Error> {
    client.authorize(redirect).authkit().begin()?;
    Ok(())
}

fn main() {}
