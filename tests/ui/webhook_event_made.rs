//! An event is made up, without a signature.

use workos_auth::User;
use workos_auth::id::EventId;
use workos_auth::webhook::{EventData, WebhookEvent};

fn misuse(id: EventId, user: User) -> WebhookEvent {
    WebhookEvent { id, kind: "user.deleted".to_owned(), created_at: user.created_at, data: EventData::UserDeleted(user) }
}

fn main() {}
