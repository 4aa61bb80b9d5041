//! Who makes a request: a signed-in user, an application with an access token, or a customer with an API key.
//!
//! A handler says by type whom it takes, and nobody else reaches it:
//!
//! | type | who | its gate |
//! | --- | --- | --- |
//! | [`SignedIn`] | a user, in a browser | [`Permitted<P>`](crate::handlers::Permitted) |
//! | [`ResourceToken`] | an OAuth application or an MCP client for a user, or a machine | [`Scoped<S>`](crate::connect::Scoped) |
//! | [`ValidApiKey`] | a customer's program | [`PermittedKey<P>`](crate::handlers::PermittedKey) |
//! | [`Caller`] | any of these | each has its own |
//!
//! None of them is made of another one, so a route for users can't be reached by a key, and a key has no user's permissions.
//!
//! # One caller
//!
//! A [`Caller`] is one of the three, never a mixture. [`Credential::of`] decides by the form of the request, before anything is verified:
//!
//! | the request has | the caller is |
//! | --- | --- |
//! | no `Authorization: Bearer` | whoever the cookie of the session says |
//! | a bearer with two dots, as signed tokens have (RFC 7515 §7.1) | whoever the access token says |
//! | any other bearer | whoever the API key says |
//! | several `Authorization` headers, or a bearer that can't be read | nobody: it is refused |
//!
//! A bearer wins over a cookie: a browser adds cookies by itself, and a bearer never. Where the bearer is refused, the request is refused,
//! also if its cookie is good. Other schemes, such as the `Basic` that a proxy asks for, say nothing about the caller.
//!
//! A handler that takes one kind looks for this kind only: [`SignedIn`] looks at the cookie and ignores a bearer, the others look at the
//! bearer and ignore a cookie.
//!
//! A user or an application may act in no organization. So don't compare two `Option`s, of which both may be `None`: ask with
//! [`in_organization`](Caller::in_organization) for the organization that the data belongs to.
//!
//! With axum, [`Caller`] is an extractor; see the module `axum`. In another framework:
//!
//! ```
//! use http::{Response, request::Parts};
//! use workos_auth::api::ApiKeyValidator;
//! use workos_auth::caller::Caller;
//! use workos_auth::connect::ResourceServer;
//! use workos_auth::session::MemorySessionStore;
//! use workos_auth::{LoginHandlers, SessionManager};
//!
//! struct App {
//!     handlers: LoginHandlers<SessionManager<MemorySessionStore>>,
//!     server: ResourceServer,
//!     keys: ApiKeyValidator,
//! }
//!
//! async fn posts(app: &App, request: &Parts) -> Response<String> {
//!     let found = app.handlers.authenticate(request).await;
//!     let answer = async |state| {
//!         let session = || app.handlers.require_sign_in(request, state);
//!         match Caller::of(&request.headers, session, &app.server, &app.keys).await {
//!             Ok(caller) => Response::new(format!("the posts of {:?}", caller.organization_id())),
//!             Err(not_identified) => not_identified.response(),
//!         }
//!     };
//!     found.respond_async(answer).await
//! }
//! ```

use http::header::{HeaderMap, WWW_AUTHENTICATE};
use http::{Response, StatusCode};

use crate::api::{ApiKeyValidator, KeyNotValidated, ValidApiKey};
use crate::authorization;
use crate::connect::{NotAuthorized, ResourceServer, ResourceToken};
use crate::error::{Error, NoBearerToken, TokenError};
use crate::handlers::NotAdmitted;
use crate::id::OrganizationId;
use crate::secret::{BearerToken, CustomerApiKey};
use crate::session::SignedIn;
use crate::wire;

/// What a request presents. Nothing of it is verified.
#[derive(Debug)]
#[must_use = "nobody has verified it yet"]
pub enum Credential {
    /// No bearer. It may have the cookie of a session.
    Session,
    /// What has the form of a signed token (RFC 7515 §7.1): two dots.
    Token(BearerToken),
    /// Any other bearer.
    Key(CustomerApiKey),
}

impl Credential {
    /// What the headers of a request present: see [One caller](self#one-caller).
    ///
    /// ```
    /// use http::HeaderMap;
    /// use workos_auth::caller::Credential;
    ///
    /// let mut headers = HeaderMap::new();
    /// headers.insert("cookie", "workos-session=abc".parse()?);
    /// assert!(matches!(Credential::of(&headers)?, Credential::Session));
    ///
    /// headers.insert("authorization", "Bearer sk_customer".parse()?);
    /// assert!(matches!(Credential::of(&headers)?, Credential::Key(_)));
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`NoBearerToken::Repeated`] and [`NoBearerToken::Malformed`]: it isn't clear what it presents.
    pub fn of(headers: &HeaderMap) -> Result<Self, NoBearerToken> {
        let token = match BearerToken::from_headers(headers) {
            Ok(token) => token,
            Err(NoBearerToken::Missing) => return Ok(Self::Session),
            Err(unclear) => return Err(unclear),
        };
        if authorization::is_signed(wire::text(&token)) {
            Ok(Self::Token(token))
        } else {
            CustomerApiKey::new(wire::text(&token)).map(Self::Key).map_err(|_| NoBearerToken::Malformed)
        }
    }
}

/// Who makes a request. It was verified.
///
/// There are only these three cases, so this enum is exhaustive: a handler that takes it decides about each. With axum it is an extractor.
#[derive(Clone, Debug)]
pub enum Caller {
    /// A user, by the cookie of a session.
    User(SignedIn),
    /// An application, by an access token: for a user, or a machine for itself.
    Token(ResourceToken),
    /// A customer's program, by an API key.
    Key(ValidApiKey),
}

impl Caller {
    /// Verifies what a request presents: see [One caller](self#one-caller). `session` is the signed-in user, such as
    /// [`LoginHandlers::require_sign_in`](crate::LoginHandlers::require_sign_in) gives it, and is asked only where there is no bearer.
    ///
    /// # Errors
    /// [`NotIdentified`], which has the response.
    pub async fn of(
        headers: &HeaderMap,
        session: impl FnOnce() -> Result<SignedIn, NotAdmitted>,
        server: &ResourceServer,
        keys: &ApiKeyValidator,
    ) -> Result<Self, NotIdentified> {
        match Credential::of(headers) {
            Ok(Credential::Session) => session().map(Self::User).map_err(|user| {
                let token = server.refuse_without_token(NoBearerToken::Missing);
                NotIdentified::Session { user, token }
            }),
            Ok(Credential::Token(token)) => {
                let token = server.verify(&token).await;
                token.map(Self::Token).map_err(|not_accepted| NotIdentified::Token(server.refuse(not_accepted)))
            }
            Ok(Credential::Key(key)) => keys.validate(&key).await.map(Self::Key).map_err(NotIdentified::Key),
            Err(unclear) => Err(NotIdentified::Token(server.refuse_without_token(unclear))),
        }
    }

    /// The organization that the caller acts in. A user or an application may act in none.
    #[must_use]
    pub fn organization_id(&self) -> Option<&OrganizationId> {
        match self {
            Self::User(user) => user.organization_id(),
            Self::Token(token) => token.organization_id(),
            Self::Key(key) => Some(key.organization_id()),
        }
    }

    /// Checks that the caller acts in this organization, to which the requested data belongs.
    ///
    /// # Errors
    /// An [`Error`] whose [`response`](Error::response) is 403, also for a caller who acts in none.
    pub fn in_organization(&self, id: &OrganizationId) -> Result<(), Error> {
        match self {
            Self::User(user) => user.token().in_organization(id).map(drop),
            Self::Token(token) => token.in_organization(id).map_err(|_| Error::token(TokenError::WrongOrganization)),
            Self::Key(key) => Ok(key.in_organization(id)?),
        }
    }
}

/// Why it isn't known who makes a request. Its [`response`](Self::response) tells the caller what to do.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
#[must_use = "it has the response: `.response()`"]
pub enum NotIdentified {
    /// There is no bearer, and nobody is signed in, or nobody can tell.
    #[error("{user}")]
    Session {
        /// Why there is no user.
        #[source]
        user: NotAdmitted,
        /// Where an application gets a token.
        token: NotAuthorized,
    },
    /// The access token isn't accepted, or what is in the `Authorization` header can't be read.
    #[error(transparent)]
    Token(NotAuthorized),
    /// The API key isn't valid, or couldn't be validated now.
    #[error(transparent)]
    Key(KeyNotValidated),
}

impl NotIdentified {
    /// The response.
    ///
    /// | status | when |
    /// | --- | --- |
    /// | 303 | a page, and nobody is signed in: to the login and back |
    /// | 401 | nobody is signed in, or the token or the key isn't good; with `WWW-Authenticate` |
    /// | 400 | there are several `Authorization` headers |
    /// | 429 | too many keys are to be validated; with `Retry-After` |
    /// | 503 | nobody can tell now; with `Retry-After` |
    #[must_use]
    pub fn response(&self) -> Response<String> {
        match self {
            Self::Session { user, token } => {
                let mut response = user.response();
                if response.status() == StatusCode::UNAUTHORIZED {
                    // Both ways in. The one for applications comes first: not all of them read a list.
                    let mut challenges =
                        token.response().headers().get_all(WWW_AUTHENTICATE).iter().cloned().collect::<Vec<_>>();
                    challenges.extend(response.headers().get_all(WWW_AUTHENTICATE).iter().cloned());
                    response.headers_mut().remove(WWW_AUTHENTICATE);
                    for challenge in challenges {
                        response.headers_mut().append(WWW_AUTHENTICATE, challenge);
                    }
                }
                response
            }
            Self::Token(token) => token.response(),
            Self::Key(key) => key.response(),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::header::{AUTHORIZATION, HeaderValue};

    use super::*;

    fn credential(values: &[&str]) -> String {
        let headers = values.iter().map(|value| (AUTHORIZATION, HeaderValue::from_str(value).unwrap())).collect();
        match Credential::of(&headers) {
            Ok(Credential::Session) => "session".to_owned(),
            Ok(Credential::Token(token)) => format!("token {}", wire::text(&token)),
            Ok(Credential::Key(key)) => format!("key {}", wire::text(&key)),
            Err(unclear) => format!("{unclear:?}"),
        }
    }

    #[test]
    fn a_credential_is_told_by_its_form() {
        let (longest, too_long) = ("k".repeat(512), "k".repeat(513));
        for (values, is) in [
            (&[][..], "session"),
            (&["Basic YTpi"], "session"),
            (&["Bearer eyJ.eyJ.c2ln"], "token eyJ.eyJ.c2ln"),
            (&["bearer a.b."], "token a.b."),
            (&["Bearer sk_a.b.c"], "token sk_a.b.c"),
            (&["Bearer .."], "token .."),
            (&["Bearer sk_customer"], "key sk_customer"),
            (&["BEARER   sk_customer"], "key sk_customer"),
            (&["Bearer a.b"], "key a.b"),
            (&["Bearer a.b.c.d"], "key a.b.c.d"),
            (&["Bearer"], "Malformed"),
            (&["Bearer sk_customer, Bearer a.b.c"], "Malformed"),
            (&["Bearer sk customer"], "Malformed"),
            (&["Bearer a.b.c", "Bearer a.b.c"], "Repeated"),
            (&["Basic YTpi", "Bearer sk_customer"], "Repeated"),
            (&[&format!("Bearer {longest}")], &format!("key {longest}")),
            (&[&format!("Bearer {too_long}")], "Malformed"),
        ] {
            assert_eq!(credential(values), is, "{values:?}");
        }
    }
}
