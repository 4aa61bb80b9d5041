//! A session in a store of the application: its new tokens are written before it is used.

use workos_auth::session::SessionParts;
use workos_auth::{ConfidentialClient, Error, ExposeSecret, OrganizationId, TokenVerifier};

async fn switch(client: &ConfidentialClient, verifier: &TokenVerifier, row: SessionParts) -> Result<(), Error> {
    let active = client.session(row).check(verifier).await?;
    let refreshed = active.switch_organization(OrganizationId::new("org_123")?).await?;
    let opened = refreshed.keep(async |parts| write(parts.refresh_token.expose_secret()).await).await?;
    let active = opened.check(verifier).await?;
    println!("now in {:?}", active.organization_id());
    Ok(())
}

async fn write(_refresh_token: &str) -> std::io::Result<()> {
    Ok(())
}

fn main() {}
