//! An event is made up, without a signature.

use workos_auth::User;
use workos_auth::id::EventId;
use workos_auth::webhook::{EventData, WebhookEvent};

fn misuse(id: EventId, user: User) -> WebhookEvent {
    WebhookEvent { id, kind: "user.updated".to_owned(), created_at: user.created_at, data: EventData::UserUpdated(user) }
}

fn main() {}
