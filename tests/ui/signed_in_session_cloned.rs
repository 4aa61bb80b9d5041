//! Two copies of a session would use its refresh token twice.

fn copy(session: &workos_auth::Session<workos_auth::Public>) -> workos_auth::Session<workos_auth::Public> {
    session.clone()
}

fn main() {}
