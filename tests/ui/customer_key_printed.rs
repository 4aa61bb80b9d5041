//! The API key of a customer is printed.

use workos_auth::secret::CustomerApiKey;

fn main() {
    println!("{}", CustomerApiKey::new("sk_customer").unwrap());
}
