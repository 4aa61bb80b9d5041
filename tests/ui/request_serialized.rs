//! A request is serialized, with the secrets in it.

use workos_auth::EmailAddress;
use workos_auth::api::CreateUser;

fn main() {
    let user = CreateUser::new(EmailAddress::new("ada@example.com").unwrap());
    let _json = serde_json::to_string(&user);
}
