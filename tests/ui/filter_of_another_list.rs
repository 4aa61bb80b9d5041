//! The filter of one list is used for another.

use workos_auth::{ConfidentialClient, EmailAddress, UserId};

fn main() {
    let client = ConfidentialClient::new("client_123", "sk_example").unwrap();
    let email = EmailAddress::new("ada@example.com").unwrap();
    let _sessions = client.sessions().list(&UserId::new("user_123").unwrap()).email(&email);
}
