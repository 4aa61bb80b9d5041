//! The permissions of a session are read without an organization.

use workos_auth::{ActiveSession, Confidential};

fn misuse(session: &ActiveSession<Confidential>) -> bool {
    session.permissions().any(|permission| *permission == "posts:write")
}

fn main() {}
