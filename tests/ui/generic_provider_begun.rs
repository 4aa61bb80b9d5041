//! A login is begun by code that is generic over providers.

use workos_auth::Public;
use workos_auth::login::AuthorizationBuilder;
use workos_auth::typestate::IsProvider;

fn misuse<T: IsProvider>(login: AuthorizationBuilder<Public, T>) {
    let _ = login.begin();
}

fn main() {}
