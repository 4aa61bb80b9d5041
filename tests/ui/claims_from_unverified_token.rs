//! Claims come out of a verified token alone.

fn main() {
    let token = workos_auth::AccessToken::new("from a request");
    let _ = token.has_permission("posts:write");
}
