//! An organization ID is given where a user ID belongs.

use workos_auth::{ConfidentialClient, OrganizationId};

fn main() {
    let client = ConfidentialClient::new("client_123", "sk_example").unwrap();
    let organization = OrganizationId::new("org_123").unwrap();
    let _request = client.users().get(&organization);
}
