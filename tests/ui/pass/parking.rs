//! A login and a step that wait for a human are sealed, and resumed by another process.

use workos_auth::parking::Parking;
use workos_auth::step::TotpChallenge;
use workos_auth::{
    AuthenticationResponse, Callback, Confidential, ConfidentialClient, Error, PkceSession, RedirectUri, TotpCode,
};

fn park(parking: &Parking, session: PkceSession<Confidential>) -> Result<String, Error> {
    Ok(parking.park(session)?)
}

async fn resume(
    parking: &Parking,
    client: &ConfidentialClient,
    sealed: &str,
    callback: Callback,
) -> Result<AuthenticationResponse, Error> {
    let redirect_uri = RedirectUri::new("https://example.com/callback")?;
    Ok(parking.resume_login(client, &redirect_uri, sealed)?.exchange(callback)?.send().await?)
}

async fn resume_step(
    parking: &Parking,
    client: &ConfidentialClient,
    sealed: &str,
    code: TotpCode,
) -> Result<AuthenticationResponse, Error> {
    let challenge: TotpChallenge<_> = parking.resume_step(client, sealed)?;
    Ok(challenge.verify(code).send().await?)
}

fn main() {}
