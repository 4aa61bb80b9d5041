// Tokens are read from a login that may need a further step.
use workos_auth::{AccessToken, Authentication, Public};

fn misuse(authentication: Authentication<Public>) -> AccessToken {
    authentication.access_token
}

fn main() {}
