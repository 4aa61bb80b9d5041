//! A session that was signed out is gone.

use workos_auth::{Public, Session, VerifiedToken};

async fn run(session: Session<Public>, token: VerifiedToken) -> Result<(), workos_auth::Error> {
    let _url = session.sign_out(&token, None);
    let _session = session.refresh().await?;
    Ok(())
}

fn main() {}
