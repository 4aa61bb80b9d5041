//! A session in a store of the application: it is refreshed and written in one task, which a dropped request handler doesn't cancel.

use workos_auth::session::{NotKept, SessionParts, SessionUpdate};
use workos_auth::{Confidential, ConfidentialClient, Error, OrganizationId, SessionCookie, TokenVerifier};

async fn switch(client: &ConfidentialClient, verifier: &TokenVerifier, row: SessionParts) -> Result<(), Error> {
    let active = client.session(row).check(verifier).await?;
    let session = match active.switch_organization(OrganizationId::new("org_123")?).keep(write).await {
        Ok(session) => session.check(verifier).await?,
        Err(NotKept::Changed) => return Ok(println!("read the row again")),
        Err(not_kept) => return Err(not_kept.into()),
    };
    println!("now in {:?}", session.organization_id());
    Ok(())
}

async fn write(update: SessionUpdate<Confidential>) -> std::io::Result<bool> {
    match update.session {
        Some(session) => println!("UPDATE … SET version = '{}' WHERE version = '{}'", session.version(), update.replaces),
        None => println!("DELETE … WHERE version = '{}'", update.replaces),
    }
    Ok(true)
}

async fn sealed(client: &ConfidentialClient, seal: SessionCookie, column: String) -> Result<(), Error> {
    let write = move |update: SessionUpdate<Confidential>| {
        let column = update.session.map(|session| seal.seal(&session)).transpose();
        async move { column.map(|column| column.is_some()) }
    };
    let seal = SessionCookie::new(workos_auth::CookiePassword::generate()?)?;
    seal.open(client, &column)?.refresh().keep(write).await?;
    Ok(())
}

fn main() {}
