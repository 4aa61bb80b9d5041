//! The code of a Magic Auth e-mail is printed.

use workos_auth::api::MagicAuth;

fn log(made: MagicAuth) {
    println!("{}", made.code);
}

fn main() {
    let _ = log;
}
