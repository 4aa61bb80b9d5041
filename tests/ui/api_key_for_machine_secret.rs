//! An API key of WorkOS is given where the secret of a machine belongs.

use workos_auth::ClientId;
use workos_auth::connect::MachineClient;
use workos_auth::id::Issuer;
use workos_auth::secret::ApiKey;

fn main() {
    let issuer = Issuer::new("https://example.authkit.app").unwrap();
    let id = ClientId::new("client_123").unwrap();
    let _ = MachineClient::new(issuer, id, ApiKey::new("sk_example").unwrap());
}
