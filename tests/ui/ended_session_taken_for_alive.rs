//! After a failed refresh, the session is taken for kept without a look.

use workos_auth::session::RefreshError;
use workos_auth::{Public, Refreshed};

fn misuse(error: RefreshError<Public>) -> Refreshed<Public> {
    match error {
        RefreshError::Kept(kept) => kept.into_refreshed(),
    }
}

fn main() {}
