//! Logins, and what belongs to their URLs.

use workos_auth::secret::{AuthorizationCode, AuthorizationUrl};
use workos_auth::testing::Browser;
use workos_auth::typestate::{Flow, HasClientId, IsConfidential};
use workos_auth::{
    AuthenticationResponse, Callback, Client, EmailAddress, NotSignedIn, Password, RedirectUri, Rejected, Step, danger,
};

use super::Outcome;

/// Of a user of whom nothing else is needed.
pub(crate) const PASSWORD: &str = "correct horse";

/// Of an application on the user's machine.
pub(crate) fn redirect() -> RedirectUri {
    RedirectUri::new("http://127.0.0.1:8080/callback").unwrap()
}

/// A parameter of any URL's query.
pub(crate) fn query(url: &str, name: &str) -> String {
    let url = url::Url::parse(url).unwrap();
    url.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned()
}

pub(crate) fn parameter(url: &AuthorizationUrl, name: &str) -> String {
    query(url.as_str(), name)
}

pub(crate) fn state(url: &AuthorizationUrl) -> String {
    parameter(url, "state")
}

/// What a login comes back with whose user has signed in.
pub(crate) fn callback(url: &AuthorizationUrl) -> Callback {
    Callback::from_query(&format!("code=the-code&state={}", state(url))).unwrap()
}

/// Signs in with the browser of the tests, as an application would that is generic over its client.
pub(crate) async fn in_browser<K: HasClientId>(client: &Client<K>, email: &str) -> Outcome<AuthenticationResponse> {
    let session = client.authorize(redirect()).authkit().login_hint(email).begin()?;
    let callback = Browser::new()?.sign_in(session.url().as_str(), email).await?;
    Ok(session.exchange(Callback::from_url(&callback)?)?.send().await?)
}

/// Signs in a user whose password is [`PASSWORD`].
pub(crate) async fn with_password<K: IsConfidential>(
    client: &Client<K>,
    email: &str,
) -> Outcome<AuthenticationResponse> {
    let grant = client.authenticate_with_password(EmailAddress::new(email)?, Password::new(PASSWORD));
    Ok(grant.send().await?)
}

/// A code that some callback brought.
pub(crate) fn authorization_code(code: &str) -> AuthorizationCode {
    danger::code_without_state(Callback::from_parts(code, None)).unwrap()
}

/// The step that a login goes on with.
pub(crate) fn next_step<F: Flow>(outcome: Result<AuthenticationResponse, NotSignedIn<F>>) -> Step<F::Credentials> {
    match outcome {
        Err(NotSignedIn::Step(step)) => step,
        Err(NotSignedIn::Rejected(rejected)) => panic!("expected a step, got {rejected:?}"),
        Ok(response) => panic!("expected a step, {} is signed in", response.user.email),
    }
}

/// The rejection that a login ends in.
pub(crate) fn rejection<F: Flow>(outcome: Result<AuthenticationResponse, NotSignedIn<F>>) -> Rejected<F> {
    match outcome {
        Err(NotSignedIn::Rejected(rejected)) => rejected,
        Err(NotSignedIn::Step(step)) => panic!("expected a rejection, got {step:?}"),
        Ok(response) => panic!("expected a rejection, {} is signed in", response.user.email),
    }
}
