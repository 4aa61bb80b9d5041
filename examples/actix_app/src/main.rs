//! The login in Actix Web: a protected page, sign-in, sign-out and a switch to another organization.
//!
//! Actix Web 4 has the types of `http` 0.2, `LoginHandlers` those of `http` 1: [`parts`] and [`answer`] convert them.
//! Without `WORKOS_CLIENT_ID` it signs in to an AuthKit inside this process. With it and `WORKOS_API_KEY` it uses the real
//! service. `LISTEN` is the address that it listens on.
//!
//! ```text
//! cargo run -p actix_app
//! ```

use std::collections::HashMap;
use std::env;
use std::error::Error as StdError;
use std::net::TcpListener;

use actix_web::http::StatusCode;
use actix_web::web::{Data, Form, get, post};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use workos_auth::parking::Parking;
use workos_auth::reexports::http::request::Parts;
use workos_auth::reexports::http::{Error as HttpError, Request, Response};
use workos_auth::session::MemorySessionStore;
use workos_auth::testing::{AuthKit, TestUser};
use workos_auth::{ConfidentialClient, CookiePassword, LoginHandlers, RedirectUri, SessionManager, SignedIn};

type Handlers = Data<LoginHandlers<SessionManager<MemorySessionStore>>>;
/// An error of the `http` crate is a response of Actix: 500.
type Answer = Result<HttpResponse, Box<dyn StdError>>;

#[tokio::main]
async fn main() -> Result<(), Box<dyn StdError>> {
    let listener = TcpListener::bind(env::var("LISTEN").as_deref().unwrap_or("127.0.0.1:3000"))?;
    let origin = format!("http://{}", listener.local_addr()?);
    let redirect_uri = RedirectUri::new(format!("{origin}/callback"))?;
    let authkit;
    let client = if env::var_os("WORKOS_CLIENT_ID").is_some() {
        ConfidentialClient::from_env()?
    } else {
        println!("WORKOS_CLIENT_ID is not set: signing in to an AuthKit inside this process, as ada@example.com.");
        let ada = TestUser::new("ada@example.com").organization("org_one").organization("org_two");
        authkit = AuthKit::builder().user(ada).start().await?;
        authkit.confidential_client()
    };
    let sessions = SessionManager::new(client.clone(), MemorySessionStore::new());
    // An application keeps its password where it keeps its other secrets.
    let parking = Parking::new(CookiePassword::generate()?);
    let handlers = Data::new(LoginHandlers::new(client, sessions, parking, redirect_uri));

    let server = HttpServer::new(move || {
        App::new()
            .app_data(handlers.clone())
            .route("/", get().to(account))
            .route("/login", get().to(login))
            .route("/callback", get().to(callback))
            .route("/logout", post().to(logout))
            .route("/switch-organization", post().to(switch))
    });
    println!("Open {origin}/");
    Ok(server.listen(listener)?.run().await?)
}

/// Only for users who are signed in; others are sent to the login.
async fn account(handlers: Handlers, request: HttpRequest) -> Answer {
    let request = parts(&request)?;
    let found = handlers.authenticate(&request).await;
    Ok(answer(found.respond(|state| match handlers.require_sign_in(&request, state) {
        Ok(user) => page(&user),
        Err(not_admitted) => not_admitted.response(),
    })))
}

async fn login(handlers: Handlers, request: HttpRequest) -> Answer {
    Ok(answer(handlers.begin_login(&parts(&request)?).unwrap_or_else(|error| error.response())))
}

async fn callback(handlers: Handlers, request: HttpRequest) -> Answer {
    let finished = handlers.finish_login(&parts(&request)?).await;
    Ok(answer(finished.map_or_else(|error| error.response(), |login| login.response)))
}

async fn logout(handlers: Handlers, request: HttpRequest) -> Answer {
    let logged_out = handlers.logout(&parts(&request)?).await;
    Ok(answer(logged_out.unwrap_or_else(|not_logged_out| not_logged_out.response())))
}

async fn switch(handlers: Handlers, request: HttpRequest, form: Form<HashMap<String, String>>) -> Answer {
    let id = match form.get("organization_id").map_or("", String::as_str).parse() {
        Ok(id) => id,
        Err(error) => return Ok(answer(workos_auth::Error::response(&error))),
    };
    let switched = handlers.switch_organization(&parts(&request)?, id).await;
    Ok(answer(switched.respond(|switched| match switched {
        Ok(user) => page(&user),
        Err(not_switched) => not_switched.response(),
    })))
}

fn page(user: &SignedIn) -> Response<String> {
    let organization = user.organization_id().map_or("no organization", |id| id.as_str());
    let email = user.user().email.replace('&', "&amp;").replace('<', "&lt;");
    let page = Response::builder().header("content-type", "text/html; charset=utf-8").body(format!(
        "<!doctype html><html lang=en><title>Account</title><h1>Account</h1><p>{email} in {organization}\
         <form method=post action=/switch-organization><button name=organization_id value=org_one>One</button>\
         <button name=organization_id value=org_two>Two</button></form>\
         <form method=post action=/logout><button>Sign out</button></form>"
    ));
    page.unwrap_or_default()
}

/// A request of Actix, for the login handlers.
fn parts(request: &HttpRequest) -> Result<Parts, HttpError> {
    let mut converted = Request::builder().method(request.method().as_str()).uri(request.uri().to_string());
    for (name, value) in request.headers() {
        converted = converted.header(name.as_str(), value.as_bytes());
    }
    Ok(converted.body(())?.into_parts().0)
}

/// A response of the login handlers, for Actix. `append_header` keeps every `Set-Cookie`.
fn answer(response: Response<String>) -> HttpResponse {
    let (head, body) = response.into_parts();
    let mut answer =
        HttpResponse::build(StatusCode::from_u16(head.status.as_u16()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
    for (name, value) in &head.headers {
        answer.append_header((name.as_str(), value.as_bytes()));
    }
    answer.body(body)
}
