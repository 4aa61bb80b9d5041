//! A refresh token is sealed as if it were a login.

use workos_auth::RefreshToken;
use workos_auth::parking::Parking;

fn misuse(parking: Parking, token: RefreshToken) {
    let _ = parking.park(token);
}

fn main() {}
