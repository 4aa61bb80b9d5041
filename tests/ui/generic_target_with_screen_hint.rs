//! A setting of AuthKit is made by code that is generic over all targets.

use workos_auth::Public;
use workos_auth::login::AuthorizationBuilder;
use workos_auth::login::ScreenHint;
use workos_auth::typestate::Target;

fn misuse<T: Target>(login: AuthorizationBuilder<Public, T>) {
    let _ = login.screen_hint(ScreenHint::SignUp);
}

fn main() {}
