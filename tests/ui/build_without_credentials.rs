// A client is built out of nothing.
use workos_auth::Client;

fn misuse() {
    let _ = Client::builder().build();
}

fn main() {}
