//! A public client seals its login into a cookie.

use workos_auth::parking::{LoginCookies, Parking};
use workos_auth::{PkceSession, Public};

fn misuse(parking: &Parking, session: PkceSession<Public>) {
    let _ = LoginCookies::from_header("").begin(parking, session);
}

fn main() {}
