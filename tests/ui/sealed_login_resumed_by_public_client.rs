//! A public client opens a sealed login, which needs a password on a server.

use workos_auth::parking::Parking;
use workos_auth::{PublicClient, RedirectUri};

fn misuse(parking: &Parking, client: &PublicClient, redirect_uri: &RedirectUri, sealed: &str) {
    let _ = parking.resume_login(client, redirect_uri, sealed);
}

fn main() {}
