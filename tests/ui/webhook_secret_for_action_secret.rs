//! The secret of a webhook endpoint is given to Actions.

use workos_auth::ConfidentialClient;
use workos_auth::action::Actions;
use workos_auth::webhook::WebhookSecret;

fn misuse(client: &ConfidentialClient, secret: WebhookSecret) -> Actions {
    Actions::new(client, secret)
}

fn main() {}
