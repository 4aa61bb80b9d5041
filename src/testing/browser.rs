//! The user's side of a login.

use std::time::Duration;

use reqwest::Url;
use reqwest::redirect::Policy;

use crate::address::Address;

/// A user's browser, for tests: it opens authorization URLs, fills in the pages of the AuthKit and goes back.
///
/// It visits only loopback addresses, and doesn't follow redirects.
///
/// A user with a second factor is asked for a code:
///
/// ```
/// use workos_auth::RedirectUri;
/// use workos_auth::testing::{AuthKit, Browser, BrowserError, TestUser};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let authkit = AuthKit::builder().user(TestUser::new("ada@example.com").totp()).start().await?;
/// let login = authkit.public_client().authorize(RedirectUri::new("http://127.0.0.1:8080/callback")?).authkit().begin()?;
///
/// let browser = Browser::new()?;
/// let without_code = browser.sign_in(login.url().as_str(), "ada@example.com").await;
/// assert!(matches!(without_code, Err(BrowserError::SecondFactor { .. })));
///
/// let code = authkit.totp_code("ada@example.com").ok_or("no second factor")?;
/// let callback_url = browser.with_code(code).sign_in(login.url().as_str(), "ada@example.com").await?;
/// # assert!(callback_url.starts_with("http://127.0.0.1:8080/callback?code="));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Browser {
    http: reqwest::Client,
    code: Option<String>,
}

/// Why a [`Browser`] failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BrowserError {
    /// The address isn't a URL on loopback.
    #[error("the browser visits loopback only")]
    NotLoopback,
    /// The page could not be fetched.
    #[error("the page could not be fetched")]
    Http(#[source] reqwest::Error),
    /// The server answered with an error page.
    #[error("the page was refused with status {status}: {message}")]
    #[non_exhaustive]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What the page says.
        message: String,
    },
    /// The AuthKit has no user with this address.
    #[error("there is no user {email}, but there are: {}", users.join(", "))]
    #[non_exhaustive]
    UnknownUser {
        /// The address that was given.
        email: String,
        /// The addresses of the users who may sign in here.
        users: Vec<String>,
    },
    /// The login is for an organization that the user isn't a member of.
    #[error("{email} isn't a member of the organization that the login is for; these are: {}", users.join(", "))]
    #[non_exhaustive]
    NotMember {
        /// The address that was given.
        email: String,
        /// The addresses of the organization's members.
        users: Vec<String>,
    },
    /// The page asks for the code of a second factor.
    #[error("{email} has a second factor: give `Browser::with_code` the code of `AuthKit::totp_code`")]
    #[non_exhaustive]
    SecondFactor {
        /// The user's address.
        email: String,
    },
    /// The page asks for the code that was sent to an address which isn't verified.
    #[error("{email} isn't verified: give `Browser::with_code` the code of `AuthKit::last_code`")]
    #[non_exhaustive]
    EmailCode {
        /// The user's address.
        email: String,
    },
    /// The page refused the code: it is wrong, has expired or was used before.
    #[error("the code is wrong, has expired or was used before")]
    WrongCode,
    /// No device waits with this user code.
    #[error("no device waits with this user code: it is unknown, expired or was decided about already")]
    UnknownDevice,
    /// The page has no form that the browser knows.
    #[error("the page has no sign-in form")]
    NoForm,
}

impl From<reqwest::Error> for BrowserError {
    fn from(error: reqwest::Error) -> Self {
        // The query of a URL holds codes.
        Self::Http(error.without_url())
    }
}

/// Where the browser is.
enum Place {
    /// It is sent to this address.
    Redirect(String),
    Page {
        url: Url,
        status: u16,
        html: String,
    },
}

impl Browser {
    /// Opens a browser.
    ///
    /// # Errors
    /// [`BrowserError::Http`] when the HTTP client can't be built.
    pub fn new() -> Result<Self, BrowserError> {
        let http =
            reqwest::Client::builder().redirect(Policy::none()).no_proxy().timeout(Duration::from_secs(30)).build()?;
        Ok(Self { http, code: None })
    }

    /// Sets the code that the user enters when a page asks for one: that of the second factor
    /// ([`AuthKit::totp_code`](super::AuthKit::totp_code)), or of the e-mail that verifies an address
    /// ([`AuthKit::last_code`](super::AuthKit::last_code)).
    #[must_use]
    pub fn with_code(self, code: impl Into<String>) -> Self {
        Self { code: Some(code.into()), ..self }
    }

    /// Opens the authorization URL and signs in as the user with this e-mail address. Returns the callback URL, without
    /// visiting it.
    ///
    /// # Errors
    /// [`BrowserError::UnknownUser`], and [`BrowserError::SecondFactor`] or [`BrowserError::EmailCode`] when a page asks for a code
    /// that [`with_code`](Self::with_code) hasn't set.
    pub async fn sign_in(&self, authorization_url: &str, email: &str) -> Result<String, BrowserError> {
        let place = self.open(authorization_url).await?;
        match self.go_on(place, email).await? {
            Place::Redirect(location) => Ok(location),
            Place::Page { .. } => Err(BrowserError::NoForm),
        }
    }

    /// Opens the authorization URL and presses "Cancel". Returns the callback URL, which has an error.
    ///
    /// # Errors
    /// [`BrowserError`].
    pub async fn cancel(&self, authorization_url: &str) -> Result<String, BrowserError> {
        let place = match self.open(authorization_url).await? {
            Place::Page { url, status, html } => {
                check(status, &html, "")?;
                self.submit(&url, &html, "transaction", &[("action", "cancel")]).await?
            }
            redirect @ Place::Redirect(_) => redirect,
        };
        match place {
            Place::Redirect(location) => Ok(location),
            Place::Page { status, html, .. } => Err(refused(status, &html)),
        }
    }

    /// Opens the verification URI of a device login, with the user code in it, and approves the login as this user.
    ///
    /// # Errors
    /// [`BrowserError::UnknownDevice`], and those of [`sign_in`](Self::sign_in).
    pub async fn approve_device(&self, verification_uri_complete: &str, email: &str) -> Result<(), BrowserError> {
        let place = self.decide(verification_uri_complete, "approve").await?;
        arrive(self.go_on(place, email).await?)
    }

    /// Opens the verification URI of a device login, with the user code in it, and denies the login.
    ///
    /// # Errors
    /// [`BrowserError::UnknownDevice`].
    pub async fn deny_device(&self, verification_uri_complete: &str) -> Result<(), BrowserError> {
        let place = self.decide(verification_uri_complete, "deny").await?;
        arrive(place)
    }

    /// Opens a page. Returns its status and its text.
    ///
    /// # Errors
    /// [`BrowserError`]. No status is an error.
    pub async fn visit(&self, url: &str) -> Result<(u16, String), BrowserError> {
        let reply = self.http.get(loopback(url)?).send().await?;
        Ok((reply.status().as_u16(), reply.text().await?))
    }

    async fn decide(&self, url: &str, action: &str) -> Result<Place, BrowserError> {
        let Place::Page { url, html, .. } = self.open(url).await? else { return Err(BrowserError::NoForm) };
        self.submit(&url, &html, "user_code", &[("action", action)]).await
    }

    /// Fills in forms until there is none.
    async fn go_on(&self, mut place: Place, email: &str) -> Result<Place, BrowserError> {
        loop {
            let Place::Page { url, status, html } = &place else { return Ok(place) };
            check(*status, html, email)?;
            let code = self.code.as_deref();
            let field = match attribute(html, "data-page=\"") {
                Some("sign-in") => ("email", email),
                Some("second-factor") => {
                    ("code", code.ok_or_else(|| BrowserError::SecondFactor { email: email.to_owned() })?)
                }
                Some("email-code") => {
                    ("code", code.ok_or_else(|| BrowserError::EmailCode { email: email.to_owned() })?)
                }
                Some("message") => return Ok(place),
                _ => return Err(BrowserError::NoForm),
            };
            place = self.submit(url, html, "transaction", &[field]).await?;
        }
    }

    async fn open(&self, url: &str) -> Result<Place, BrowserError> {
        let url = loopback(url)?;
        arrived(&url, self.http.get(url.clone()).send().await?).await
    }

    /// Sends the first form of a page: the value that the page itself gives to a field, and what the user enters.
    async fn submit(
        &self,
        url: &Url,
        page: &str,
        given: &str,
        entered: &[(&str, &str)],
    ) -> Result<Place, BrowserError> {
        let target = attribute(page, "action=\"").ok_or(BrowserError::NoForm)?;
        let target = loopback(url.join(target).map_err(|_| BrowserError::NoForm)?.as_str())?;
        let value = attribute(page, &format!("name=\"{given}\" value=\"")).ok_or(BrowserError::NoForm)?;
        let form = form_urlencoded::Serializer::new(String::new())
            .append_pair(given, &unescape(value))
            .extend_pairs(entered)
            .finish();
        let request =
            self.http.post(target.clone()).header("content-type", "application/x-www-form-urlencoded").body(form);
        arrived(&target, request.send().await?).await
    }
}

async fn arrived(url: &Url, reply: reqwest::Response) -> Result<Place, BrowserError> {
    if let Some(location) = reply.headers().get("location").and_then(|location| location.to_str().ok()) {
        return Ok(Place::Redirect(location.to_owned()));
    }
    Ok(Place::Page { url: url.clone(), status: reply.status().as_u16(), html: reply.text().await? })
}

fn arrive(place: Place) -> Result<(), BrowserError> {
    let Place::Page { status, html, .. } = place else { return Err(BrowserError::NoForm) };
    check(status, &html, "")?;
    if attribute(&html, "data-page=\"") == Some("message") { Ok(()) } else { Err(BrowserError::NoForm) }
}

/// What the page says went wrong, if anything.
fn check(status: u16, html: &str, email: &str) -> Result<(), BrowserError> {
    let (email, users) = (email.to_owned(), values(html, "name=\"email\" value=\""));
    match attribute(html, "data-problem=\"") {
        Some("unknown-user") => Err(BrowserError::UnknownUser { email, users }),
        Some("not-member") => Err(BrowserError::NotMember { email, users }),
        Some("wrong-code") => Err(BrowserError::WrongCode),
        Some("unknown-device") => Err(BrowserError::UnknownDevice),
        None if (200..300).contains(&status) => Ok(()),
        _ => Err(refused(status, html)),
    }
}

fn refused(status: u16, html: &str) -> BrowserError {
    let message = html.split_once("<p class=\"message\">").and_then(|(_, rest)| rest.split_once("</p>"));
    BrowserError::Refused { status, message: unescape(message.map_or("it has no text", |(message, _)| message)) }
}

fn loopback(url: &str) -> Result<Url, BrowserError> {
    let url = Url::parse(url).map_err(|_| BrowserError::NotLoopback)?;
    let origin = url.origin().ascii_serialization();
    let is_loopback = Address::parse(&origin).is_ok_and(|address| address.origin.is_some_and(|it| it.is_loopback()));
    if is_loopback { Ok(url) } else { Err(BrowserError::NotLoopback) }
}

/// The value between these characters and the next quotation mark.
fn attribute<'a>(page: &'a str, before: &str) -> Option<&'a str> {
    page.split_once(before)?.1.split_once('"').map(|(value, _)| value)
}

fn values(page: &str, before: &str) -> Vec<String> {
    page.split(before).skip(1).filter_map(|rest| Some(unescape(rest.split_once('"')?.0))).collect()
}

fn unescape(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#39;", "'").replace("&amp;", "&")
}
