//! SSO without AuthKit ends in a profile: the user is found by its ID.

use workos_auth::id::ProfileId;
use workos_auth::sso::SsoSession;
use workos_auth::{Callback, Confidential, ConfidentialClient, Error, OrganizationId, RedirectUri};

fn begin(client: &ConfidentialClient, organization: OrganizationId) -> Result<SsoSession<Confidential>, Error> {
    client.authorize_sso(RedirectUri::new("https://example.com/sso")?, organization).begin()
}

async fn finish(session: SsoSession<Confidential>, callback: Callback) -> Result<ProfileId, Error> {
    let login = session.exchange(callback)?.send().await?;
    println!("hello, {}", login.profile.email.as_unverified_str());
    Ok(login.profile.id)
}

fn main() {}
