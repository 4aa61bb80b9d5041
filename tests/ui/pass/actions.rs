//! Actions are answered by their kind, in a handler or by hand.

use http::{HeaderMap, Response};
use workos_auth::action::{Action, ActionAnswer, ActionError, ActionSecret, Actions, AuthenticationContext};
use workos_auth::{ConfidentialClient, Error, PublicClient};

fn may_sign_in(context: &AuthenticationContext) -> bool {
    context.user.email_verified
}

fn decide(action: Action) -> ActionAnswer {
    match action {
        Action::Authentication(sign_in) if may_sign_in(&sign_in) => sign_in.allow(),
        Action::UserRegistration(registration) => registration.allow(),
        other => other.deny("Not now."),
    }
}

async fn endpoint(actions: &Actions, headers: &HeaderMap, body: &[u8]) -> Result<Response<String>, ActionError> {
    actions.handle(headers, body, async |action| Ok::<_, Error>(decide(action))).await
}

fn by_hand(actions: &Actions, headers: &HeaderMap, body: &[u8]) -> Result<Response<String>, ActionError> {
    Ok(decide(actions.verify(headers, body)?).into_response())
}

fn of_any_client(server: &ConfidentialClient, device: &PublicClient, secret: ActionSecret) -> [Actions; 2] {
    [Actions::new(server, secret.clone()), Actions::new(device, secret)]
}

fn main() {}
