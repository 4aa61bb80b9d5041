//! A login in the browser is resumed as a step, without its redirect URI.

use workos_auth::parking::Parking;
use workos_auth::{Confidential, ConfidentialClient, Error, PkceSession};

fn misuse(parking: Parking, client: ConfidentialClient, sealed: &str) -> Result<PkceSession<Confidential>, Error> {
    parking.resume_step(&client, sealed)
}

fn main() {}
