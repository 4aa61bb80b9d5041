//! Whoever has a handle has the session: it is not printed.

use workos_auth::SessionHandle;

fn main() {
    let handle = SessionHandle::new("from a cookie");
    println!("{handle}");
}
