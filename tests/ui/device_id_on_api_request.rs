//! A device ID is sent with a call that has none.

use workos_auth::EmailAddress;
use workos_auth::api::CreateMagicAuth;
use workos_auth::login::RequestContext;

fn main() {
    let email = EmailAddress::new("ada@example.com").unwrap();
    let _ = CreateMagicAuth::new(email).context(RequestContext::new().device_id("device-1"));
}
