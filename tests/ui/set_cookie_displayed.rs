//! A cookie that opens a session is printed.

use workos_auth::SetCookie;

fn misuse(cookie: SetCookie) {
    println!("{cookie}");
}

fn main() {}
