// A refresh token is serialized by accident, with the struct around it.
use workos_auth::RefreshToken;

fn serialize(_: impl serde::Serialize) {}

fn misuse(token: RefreshToken) {
    serialize(token);
}

fn main() {}
