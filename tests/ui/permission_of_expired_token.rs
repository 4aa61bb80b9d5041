//! An expired token says whose session it was, and no more.

fn run(token: &workos_auth::ExpiredToken) -> bool {
    token.has_permission("posts:write")
}

fn main() {}
