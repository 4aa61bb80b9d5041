//! A session is made of an SSO login, which has none.

use workos_auth::ConfidentialClient;
use workos_auth::sso::SsoLogin;

fn misuse(client: ConfidentialClient, login: SsoLogin) {
    let _session = client.session(login);
}

fn main() {}
