//! Old claims are used after a switch to another organization.

use workos_auth::{ActiveSession, Error, OrganizationId, Confidential};

async fn misuse(session: ActiveSession<Confidential>, id: OrganizationId) -> Result<(), Error> {
    let _refreshed = session.switch_organization(id).await?;
    println!("{:?}", session.token().active_organization());
    Ok(())
}

fn main() {}
