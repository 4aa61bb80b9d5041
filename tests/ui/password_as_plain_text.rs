//! A password is given as plain text.

use workos_auth::EmailAddress;
use workos_auth::api::CreateUser;

fn main() {
    let email = EmailAddress::new("ada@example.com").unwrap();
    let _user = CreateUser::new(email).password("correct horse");
}
