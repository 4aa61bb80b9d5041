//! Error pages: what happened, in plain words, and what to do now.

use axum::extract::Request;
use axum::http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use workos_auth::error::{CallbackError, ErrorKind};
use workos_auth::{Error, ErrorCode, ReturnPath};

use crate::pages::{Visitor, page};

/// Puts a page into each response that says that something failed. Its status and its other headers stay.
pub(crate) async fn pages_for_problems(request: Request, next: Next) -> Response {
    let is_for_a_reader = request
        .headers()
        .get(ACCEPT)
        .is_some_and(|accept| accept.to_str().is_ok_and(|accept| accept.contains("text/html")));
    let page = request.uri().path_and_query().filter(|_| request.method() == Method::GET);
    let page = page.and_then(|page| ReturnPath::new(page.as_str()).ok());
    let response = next.run(request).await;
    let status = response.status();
    if !is_for_a_reader || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let problem = Problem::of(status, response.extensions().get());
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.remove(CONTENT_TYPE);
    (parts, problem.page(status, page.as_ref())).into_response()
}

/// Why a request got no page.
#[derive(Clone, Copy)]
enum Problem {
    NotFound,
    /// The user lacks a permission.
    NotAllowed,
    /// WorkOS or the store of the sessions is unavailable.
    TryAgain,
    /// A callback that belongs to no login of this browser: forged, late, or opened twice.
    StrangeCallback,
    /// The user or WorkOS has refused the login.
    Refused,
    /// A form of another origin, or a link to what only a form may do.
    RefusedRequest,
    SignedOut,
    NotMember,
    /// A mistake of the application or of its configuration.
    Other,
}

impl Problem {
    fn of(status: StatusCode, error: Option<&Error>) -> Self {
        if let Some(error) = error {
            match error.kind() {
                ErrorKind::Callback(CallbackError::Authorization(_)) => return Self::Refused,
                ErrorKind::Callback(_) | ErrorKind::Parked(_) if status == StatusCode::BAD_REQUEST => {
                    return Self::StrangeCallback;
                }
                ErrorKind::RefusedRequest(_) => return Self::RefusedRequest,
                _ if error.code() == Some(&ErrorCode::OrganizationMembershipNotFound) => return Self::NotMember,
                _ => {}
            }
        }
        match status {
            StatusCode::UNAUTHORIZED => Self::SignedOut,
            StatusCode::FORBIDDEN => Self::NotAllowed,
            StatusCode::NOT_FOUND => Self::NotFound,
            StatusCode::METHOD_NOT_ALLOWED => Self::RefusedRequest,
            StatusCode::SERVICE_UNAVAILABLE => Self::TryAgain,
            _ => Self::Other,
        }
    }

    fn texts(self) -> (&'static str, &'static str) {
        match self {
            Self::NotFound => ("There is no such page", "The address may be misspelt, or the page is gone."),
            Self::NotAllowed => (
                "You may not see this page",
                "It needs a permission that you don’t have in this organization. Switch to another organization, or ask an administrator.",
            ),
            Self::TryAgain => (
                "Please try again",
                "Something that we depend on doesn’t answer at the moment. You are not signed out: wait a little, and load the page again.",
            ),
            Self::StrangeCallback => (
                "This sign-in can’t be completed",
                "It did not begin in this browser, or it took too long. Nothing was changed.",
            ),
            Self::Refused => ("You did not sign in", "The sign-in was cancelled or refused. You can begin again."),
            Self::RefusedRequest => (
                "This request was refused",
                "It did not come from one of our own pages. Nothing was changed. If you meant to do this, use the button on our page.",
            ),
            Self::SignedOut => ("You are signed out", "Sign in to go on."),
            Self::NotMember => {
                ("You did not switch", "You are not a member of that organization. Nothing was changed.")
            }
            Self::Other => ("Something went wrong", "This is our mistake, not yours. Please try again later."),
        }
    }

    /// The page. After an outage it leads back to the one that was wanted.
    fn page(self, status: StatusCode, wanted: Option<&ReturnPath>) -> Markup {
        let (title, text) = self.texts();
        let content = html! {
            p.status { "Error " (status.as_u16()) }
            h1 { (title) }
            p.lead { (text) }
            div.actions {
                (self.way_on(wanted))
                a.button.quiet href="/" { "Home" }
            }
        };
        page(title, "", Visitor::Unknown, content)
    }

    fn way_on(self, wanted: Option<&ReturnPath>) -> Markup {
        match (self, wanted) {
            (Self::TryAgain, Some(wanted)) => html! { a.button href=(wanted) { "Try again" } },
            (Self::StrangeCallback | Self::Refused | Self::SignedOut, _) => {
                html! { a.button href="/login?return_to=/account" { "Sign in" } }
            }
            (Self::NotAllowed | Self::NotMember, _) => html! { a.button href="/organizations" { "Organizations" } },
            _ => html! {},
        }
    }
}
