//! The e-mail address that an identity provider asserts is taken for the user's own.

use workos_auth::api::CreateMagicAuth;
use workos_auth::sso::Profile;

fn misuse(profile: Profile) {
    let _ = CreateMagicAuth::new(profile.email);
}

fn main() {}
