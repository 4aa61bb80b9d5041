//! A TOTP code is given where a Magic Auth code belongs.

use workos_auth::{ConfidentialClient, EmailAddress, TotpCode};

fn misuse(client: ConfidentialClient, code: TotpCode, email: EmailAddress) {
    let _ = client.authenticate_with_magic_auth(code, email);
}

fn main() {}
