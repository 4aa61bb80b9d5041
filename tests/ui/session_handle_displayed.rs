//! The handle of a session is printed.

use workos_auth::secret::SessionHandle;

fn main() {
    let handle = SessionHandle::new("from a cookie");
    println!("{handle}");
}
