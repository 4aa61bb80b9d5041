//! The code of a Magic Auth e-mail is a secret.

use workos_auth::MagicAuth;

fn log(made: MagicAuth) {
    println!("{}", made.code);
}

fn main() {
    let _ = log;
}
