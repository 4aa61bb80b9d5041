//! An OAuth provider's setting is made by code that is generic over AuthKit.

use workos_auth::Public;
use workos_auth::login::AuthorizationBuilder;
use workos_auth::typestate::IsAuthKit;

fn misuse<T: IsAuthKit>(login: AuthorizationBuilder<Public, T>) {
    let _ = login.provider_scopes(["openid"]);
}

fn main() {}
