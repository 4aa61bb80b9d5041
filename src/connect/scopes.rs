//! Scopes (RFC 6749 §3.3): as a set, and as types that the compiler asks for.

use std::collections::BTreeSet;
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use http::{Response, StatusCode};

use super::challenge::Challenge;
use super::token::ResourceToken;
use crate::error::Error;

/// A set of scopes, such as `read:posts write:posts`.
///
/// ```
/// use workos_auth::connect::Scopes;
///
/// let scopes: Scopes = "write:posts read:posts".parse()?;
/// assert!(scopes.contains("read:posts") && !scopes.contains("read"));
/// assert_eq!(scopes.to_string(), "read:posts write:posts");
/// assert!(Scopes::new(["read posts"]).is_err());
/// # Ok::<_, workos_auth::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scopes(BTreeSet<String>);

impl Scopes {
    /// Makes a set of scopes. Each is visible ASCII without `"` and `\`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidValue`](crate::ErrorKind::InvalidValue) naming `scope`.
    pub fn new<S: Into<String>>(scopes: impl IntoIterator<Item = S>) -> Result<Self, Error> {
        let scopes: BTreeSet<_> = scopes.into_iter().map(Into::into).collect();
        if scopes.iter().all(|scope| is_scope(scope)) {
            Ok(Self(scopes))
        } else {
            Err(Error::invalid_value("scope", "must be visible ASCII without spaces, quotes and backslashes"))
        }
    }

    /// Whether a scope is among them.
    #[must_use]
    pub fn contains(&self, scope: &str) -> bool {
        self.0.contains(scope)
    }

    /// The scopes, in the order of the alphabet.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// `scope-token`
fn is_scope(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\')
}

/// Scopes with spaces between them, as in a token and in a request for one.
impl FromStr for Scopes {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::new(text.split(' ').filter(|scope| !scope.is_empty()))
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, scope) in self.iter().enumerate() {
            formatter.write_str(if index == 0 { "" } else { " " })?;
            formatter.write_str(scope)?;
        }
        Ok(())
    }
}

/// A token is good, and lacks a scope.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the access token lacks the scope {scope}")]
#[must_use = "the request must be refused: `.response()`"]
pub struct MissingScope {
    scope: String,
    pub(super) challenge: Challenge,
}

impl MissingScope {
    pub(super) fn new(scope: &str, challenge: &Challenge) -> Self {
        Self { scope: scope.to_owned(), challenge: challenge.clone() }
    }

    /// The scope.
    #[must_use]
    pub fn scope(&self) -> &str {
        &self.scope
    }

    /// The response: 403 with a `WWW-Authenticate` header that names the scope (RFC 6750 §3.1), so that the client can ask for it.
    #[must_use]
    pub fn response(&self) -> Response<String> {
        let parameters = [("error", "insufficient_scope"), ("scope", &*self.scope)];
        self.challenge.response(StatusCode::FORBIDDEN, &parameters)
    }
}

/// A scope, as a type.
///
/// ```
/// use workos_auth::connect::Scope;
///
/// /// Reading posts.
/// struct ReadPosts;
///
/// impl Scope for ReadPosts {
///     const NAME: &'static str = "read:posts";
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a scope",
    label = "needs a type that names a scope",
    note = "write `impl Scope for {Self} {{ const NAME: &'static str = \"read:posts\"; }}`"
)]
pub trait Scope {
    /// Its name, as in the token's `scope`.
    const NAME: &'static str;
}

/// A token that has the scope `S`.
///
/// A function that takes it can't be called without the check. With axum it is an extractor.
///
/// ```
/// use workos_auth::connect::{MissingScope, ResourceToken, Scope, Scoped};
///
/// struct WritePosts;
/// impl Scope for WritePosts {
///     const NAME: &'static str = "write:posts";
/// }
///
/// fn publish(author: &Scoped<WritePosts>) -> String {
///     format!("{:?} wrote this", author.user_id())
/// }
///
/// fn post(token: ResourceToken) -> Result<String, MissingScope> {
///     Ok(publish(&Scoped::check(token)?))
/// }
///
/// # use workos_auth::{id::ResourceUri, testing::AuthKit};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let authkit = AuthKit::start().await?;
/// # let server = authkit.resource_server(ResourceUri::new("https://api.example.com")?)?;
/// # let token = async |scopes| -> Result<ResourceToken, Box<dyn std::error::Error>> {
/// #     let token = authkit.connect_token().audience("https://api.example.com").user("user_1").scopes(scopes).sign()?;
/// #     Ok(server.verify(&token).await?)
/// # };
/// # let (writer, reader) = (token("write:posts").await?, token("read:posts").await?);
/// assert_eq!(post(writer)?, "Some(UserId(user_1)) wrote this");
/// assert!(post(reader).is_err_and(|missing| missing.response().status() == 403));
/// # Ok(()) }
/// ```
pub struct Scoped<S> {
    token: ResourceToken,
    scope: PhantomData<fn() -> S>,
}

impl<S: Scope> Scoped<S> {
    /// Checks the scope.
    ///
    /// # Errors
    /// [`MissingScope`].
    pub fn check(token: ResourceToken) -> Result<Self, MissingScope> {
        token.scope(S::NAME)?;
        Ok(Self { token, scope: PhantomData })
    }
}

impl<S> Scoped<S> {
    /// The token.
    #[must_use]
    pub fn token(&self) -> &ResourceToken {
        &self.token
    }
}

impl<S> std::ops::Deref for Scoped<S> {
    type Target = ResourceToken;

    fn deref(&self) -> &ResourceToken {
        &self.token
    }
}

impl<S> Clone for Scoped<S> {
    fn clone(&self) -> Self {
        Self { token: self.token.clone(), scope: PhantomData }
    }
}

impl<S> fmt::Debug for Scoped<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Scoped").field(&self.token).finish()
    }
}
