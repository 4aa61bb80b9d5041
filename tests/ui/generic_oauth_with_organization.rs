//! An organization is set by code that is generic over OAuth providers.

use workos_auth::Public;
use workos_auth::id::OrganizationId;
use workos_auth::login::AuthorizationBuilder;
use workos_auth::typestate::IsOAuth;

fn misuse<T: IsOAuth>(login: AuthorizationBuilder<Public, T>) {
    let _ = login.in_organization(OrganizationId::new("org_1").unwrap());
}

fn main() {}
