//! The secret of a machine is given where an API key of WorkOS belongs.

use workos_auth::ConfidentialClient;
use workos_auth::secret::MachineSecret;

fn main() {
    let client = ConfidentialClient::new("client_123", "sk_example").unwrap();
    let _ = client.with_api_key(MachineSecret::new("a-secret").unwrap());
}
