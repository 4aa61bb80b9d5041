//! The API key of a request is taken for a valid one.

use workos_auth::api::ValidApiKey;
use workos_auth::secret::CustomerApiKey;

fn serve(_caller: &ValidApiKey) {}

fn main() {
    let presented = CustomerApiKey::new("sk_customer").unwrap();
    serve(&presented);
}
