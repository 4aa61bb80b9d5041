//! Whether a failed refresh kept the session is not to be guessed.

use workos_auth::{Public, RefreshError, Session};

fn run(error: RefreshError<Public>) -> Session<Public> {
    match error {
        RefreshError::Kept(kept) => kept.into_session(),
    }
}

fn main() {}
