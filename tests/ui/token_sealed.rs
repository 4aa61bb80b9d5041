// Something is sealed that no human is waited for.
use workos_auth::{Parking, RefreshToken};

fn misuse(parking: Parking, token: RefreshToken) {
    let _ = parking.park(token);
}

fn main() {}
