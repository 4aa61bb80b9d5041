//! The secret of a webhook endpoint is printed.

use workos_auth::webhook::WebhookSecret;

fn main() {
    let secret = WebhookSecret::new("a-secret-of-an-endpoint").unwrap();
    println!("{secret}");
}
