//! The handlers of a login, in any web framework.

use http::request::Parts;
use http::{Response, StatusCode};
use workos_auth::handlers::NotLoggedOut;
use workos_auth::parking::Parking;
use workos_auth::session::CookieSessions;
use workos_auth::{ConfidentialClient, CookiePassword, Error, LoginHandlers, RedirectUri, SessionCookie, SessionState};

type Handlers = LoginHandlers<CookieSessions>;

fn handlers(client: ConfidentialClient) -> Result<Handlers, Error> {
    let cookie = SessionCookie::new(CookiePassword::new("a-random-password-of-32-characters")?)?;
    let parking = Parking::new(CookiePassword::new("another-password-of-32-characters")?);
    let redirect_uri = RedirectUri::new("https://example.com/callback")?;
    Ok(LoginHandlers::new(client.clone(), CookieSessions::new(client, cookie), parking, redirect_uri))
}

fn login(handlers: &Handlers, request: &Parts) -> Result<Response<String>, Error> {
    handlers.begin_login(request)
}

async fn callback(handlers: &Handlers, request: &Parts) -> Result<Response<String>, Error> {
    Ok(handlers.finish_login(request).await?.response)
}

async fn page(handlers: &Handlers, request: &Parts) -> Response<String> {
    handlers.authenticate(request).await.respond(|state| match state {
        SessionState::Active(signed_in) => Response::new(format!("hello, {}", signed_in.user().email)),
        SessionState::SignedOut(_) => answer(StatusCode::UNAUTHORIZED),
        SessionState::TemporarilyUnknown(_) => answer(StatusCode::SERVICE_UNAVAILABLE),
    })
}

async fn logout(handlers: &Handlers, request: &Parts) -> Result<Response<String>, Error> {
    match handlers.logout(request).await {
        Ok(response) => Ok(response),
        Err(NotLoggedOut::Refused(refused)) => Ok(refused.response()),
        Err(NotLoggedOut::Failed(error)) => Err(error),
    }
}

fn answer(status: StatusCode) -> Response<String> {
    let mut response = Response::new(String::new());
    *response.status_mut() = status;
    response
}

fn main() {}
