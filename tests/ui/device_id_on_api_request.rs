// Only a login has a device ID: the API would not be told of it.
use workos_auth::{CreateMagicAuth, EmailAddress, RequestContext};

fn main() {
    let email = EmailAddress::new("ada@example.com").unwrap();
    let _ = CreateMagicAuth::new(email).context(RequestContext::new().device_id("device-1"));
}
