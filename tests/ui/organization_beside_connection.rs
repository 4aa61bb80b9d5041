//! An organization is set beside a connection, which belongs to one already.

use workos_auth::id::ConnectionId;
use workos_auth::{OrganizationId, PublicClient, RedirectUri};

fn main() {
    let client = PublicClient::new("client_123").unwrap();
    let redirect = RedirectUri::new("https://example.com/callback").unwrap();
    let login = client.authorize(redirect).connection(ConnectionId::new("conn_1").unwrap());
    let _ = login.in_organization(OrganizationId::new("org_1").unwrap()).begin();
}
