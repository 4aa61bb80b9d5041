//! A request has no second door to its secrets.

use workos_auth::{CreateUser, EmailAddress};

fn main() {
    let user = CreateUser::new(EmailAddress::new("ada@example.com").unwrap());
    let _json = serde_json::to_string(&user);
}
