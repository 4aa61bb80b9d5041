//! A password is a secret from the start.

use workos_auth::{CreateUser, EmailAddress};

fn main() {
    let email = EmailAddress::new("ada@example.com").unwrap();
    let _user = CreateUser::new(email).password("correct horse");
}
