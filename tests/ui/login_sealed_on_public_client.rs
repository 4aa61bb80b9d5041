//! A public client seals its login, which needs a password on a server.

use workos_auth::parking::Parking;
use workos_auth::{PkceSession, Public};

fn misuse(parking: Parking, session: PkceSession<Public>) {
    let _ = parking.park(session);
}

fn main() {}
