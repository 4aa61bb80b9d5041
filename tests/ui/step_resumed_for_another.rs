//! A step is resumed as another one.

use workos_auth::parking::Parking;
use workos_auth::step::{EmailVerification, TotpChallenge};
use workos_auth::{Confidential, ConfidentialClient, Error};

fn misuse(parking: Parking, client: ConfidentialClient, sealed: &str) -> Result<TotpChallenge<Confidential>, Error> {
    parking.resume_step::<_, EmailVerification<_>>(&client, sealed)
}

fn main() {}
