//! The user's side of a login.

use std::time::Duration;

use reqwest::redirect::Policy;
use url::{Url, form_urlencoded};

/// A user's browser, for tests: it opens authorization URLs, fills in the sign-in page and goes back.
///
/// It visits only loopback addresses, and doesn't follow redirects.
#[derive(Clone, Debug)]
pub struct Browser {
    http: reqwest::Client,
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
    /// The server answered with this status instead of the page or a redirect.
    #[error("the page was refused with status {0}")]
    Refused(u16),
    /// The page has no sign-in form.
    #[error("the page has no sign-in form")]
    NoForm,
}

impl From<reqwest::Error> for BrowserError {
    fn from(error: reqwest::Error) -> Self {
        // The query of a URL holds codes.
        Self::Http(error.without_url())
    }
}

impl Browser {
    /// Opens a browser.
    ///
    /// # Errors
    /// [`BrowserError::Http`] when the HTTP client can't be built.
    pub fn new() -> Result<Self, BrowserError> {
        let http =
            reqwest::Client::builder().redirect(Policy::none()).no_proxy().timeout(Duration::from_secs(30)).build()?;
        Ok(Self { http })
    }

    /// Opens the authorization URL and signs in as the user with this e-mail address. Returns the callback URL, without
    /// visiting it.
    ///
    /// # Errors
    /// [`BrowserError`]. When there is no such user, it is [`BrowserError::Refused`] with 400.
    pub async fn sign_in(&self, authorization_url: &str, email: &str) -> Result<String, BrowserError> {
        self.submit_sign_in(authorization_url, email, "sign-in").await
    }

    /// Opens the authorization URL and presses "Cancel". Returns the callback URL, which has an error.
    ///
    /// # Errors
    /// [`BrowserError`].
    pub async fn cancel(&self, authorization_url: &str) -> Result<String, BrowserError> {
        self.submit_sign_in(authorization_url, "", "cancel").await
    }

    /// Opens the verification URI of a device login, with the user code in it, and approves the login as this user.
    ///
    /// # Errors
    /// [`BrowserError`]. When there is no such code or user, it is [`BrowserError::Refused`] with 400.
    pub async fn approve_device(&self, verification_uri_complete: &str, email: &str) -> Result<(), BrowserError> {
        self.submit_device(verification_uri_complete, email, "approve").await
    }

    /// Opens the verification URI of a device login, with the user code in it, and denies the login.
    ///
    /// # Errors
    /// As [`approve_device`](Self::approve_device).
    pub async fn deny_device(&self, verification_uri_complete: &str) -> Result<(), BrowserError> {
        self.submit_device(verification_uri_complete, "", "deny").await
    }

    async fn submit_device(&self, url: &str, email: &str, action: &str) -> Result<(), BrowserError> {
        let url = loopback(url)?;
        let page = self.http.get(url.clone()).send().await?.text().await?;
        let code = attribute(&page, "name=\"user_code\" value=\"").ok_or(BrowserError::NoForm)?;
        let reply = self.submit_form(&url, &page, &[("user_code", code), ("email", email), ("action", action)]).await?;
        if reply.status().is_success() { Ok(()) } else { Err(BrowserError::Refused(reply.status().as_u16())) }
    }

    /// Opens a page. Returns its status and its text.
    ///
    /// # Errors
    /// [`BrowserError`]. No status is an error.
    pub async fn visit(&self, url: &str) -> Result<(u16, String), BrowserError> {
        let reply = self.http.get(loopback(url)?).send().await?;
        Ok((reply.status().as_u16(), reply.text().await?))
    }

    async fn submit_sign_in(&self, authorization_url: &str, email: &str, action: &str) -> Result<String, BrowserError> {
        let url = loopback(authorization_url)?;
        let reply = self.http.get(url.clone()).send().await?;
        if let Some(location) = location(&reply) {
            return Ok(location);
        }
        if !reply.status().is_success() {
            return Err(BrowserError::Refused(reply.status().as_u16()));
        }
        let page = reply.text().await?;
        let transaction = attribute(&page, "name=\"transaction\" value=\"").ok_or(BrowserError::NoForm)?;
        let fields = [("transaction", transaction), ("email", email), ("action", action)];
        let reply = self.submit_form(&url, &page, &fields).await?;
        location(&reply).ok_or(BrowserError::Refused(reply.status().as_u16()))
    }

    async fn submit_form(
        &self,
        url: &Url,
        page: &str,
        fields: &[(&str, &str)],
    ) -> Result<reqwest::Response, BrowserError> {
        let target = attribute(page, "action=\"").ok_or(BrowserError::NoForm)?;
        let target = loopback(url.join(target).map_err(|_| BrowserError::NoForm)?.as_str())?;
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = self.http.post(target).header("content-type", "application/x-www-form-urlencoded").body(form);
        Ok(request.send().await?)
    }
}

fn loopback(url: &str) -> Result<Url, BrowserError> {
    Url::parse(url).ok().filter(crate::id::is_loopback).ok_or(BrowserError::NotLoopback)
}

fn location(reply: &reqwest::Response) -> Option<String> {
    reply.headers().get("location")?.to_str().ok().map(str::to_owned)
}

/// The value between these characters and the next quotation mark.
fn attribute<'a>(page: &'a str, before: &str) -> Option<&'a str> {
    page.split_once(before)?.1.split_once('"').map(|(value, _)| value)
}
