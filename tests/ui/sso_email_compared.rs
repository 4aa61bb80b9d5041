//! A user is found by the e-mail address that an identity provider asserts.

use workos_auth::User;
use workos_auth::sso::Profile;

fn misuse(profile: &Profile, user: &User) -> bool {
    profile.email == user.email
}

fn main() {}
