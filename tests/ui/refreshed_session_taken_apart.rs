//! The tokens of a refreshed session are taken out of it, to be written by the request handler.

use workos_auth::session::SessionParts;
use workos_auth::{Confidential, Error, ExpiredSession};

async fn misuse(session: ExpiredSession<Confidential>) -> Result<SessionParts, Error> {
    Ok(session.refresh().await?.into_unverified_parts())
}

fn main() {}
