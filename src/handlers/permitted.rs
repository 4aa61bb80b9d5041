//! A permission that the compiler asks for.

use std::fmt;
use std::marker::PhantomData;

use super::outcomes::NotAdmitted;
use crate::error::Error;
use crate::id::OrganizationId;
use crate::session::SignedIn;
use crate::token::{Member, Membership};

/// A permission of the WorkOS environment, as a type.
///
/// ```
/// use workos_auth::handlers::Permission;
///
/// /// Writing posts.
/// struct WritePosts;
///
/// impl Permission for WritePosts {
///     const SLUG: &'static str = "posts:write";
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a permission",
    label = "needs a type that names a permission's slug",
    note = "write `impl Permission for {Self} {{ const SLUG: &'static str = \"posts:write\"; }}`"
)]
pub trait Permission {
    /// Its slug, as in the dashboard and in the token's `permissions`.
    const SLUG: &'static str;
}

/// A signed-in user who has the permission `P` in the organization that they signed in to.
///
/// A function that takes it can't be called without the check. With axum it is an extractor.
///
/// The check is about [the user's active organization](Self::membership). Where a request names the organization that it is about,
/// [`in_organization`](Self::in_organization) compares the two.
///
/// ```
/// use workos_auth::SignedIn;
/// use workos_auth::handlers::{NotAdmitted, Permission, Permitted};
///
/// struct WritePosts;
/// impl Permission for WritePosts {
///     const SLUG: &'static str = "posts:write";
/// }
///
/// fn publish(author: &Permitted<WritePosts>) -> String {
///     format!("{} wrote this in {}", author.user().email, author.membership().organization_id())
/// }
///
/// fn post(signed_in: SignedIn) -> Result<String, NotAdmitted> {
///     Ok(publish(&Permitted::check(signed_in)?))
/// }
///
/// # use workos_auth::session::MemorySessionStore;
/// # use workos_auth::testing::{AuthKit, TestUser};
/// # use workos_auth::{EmailAddress, Password, SessionManager};
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let user = |email| TestUser::new(email).password("a-password").organization("org_one");
/// # let ada = user("ada@example.com").permission("posts:write");
/// # let authkit = AuthKit::builder().user(ada).user(user("grace@example.com")).start().await?;
/// # let sessions = SessionManager::new(authkit.confidential_client(), MemorySessionStore::new());
/// # let signed_in = async |email: &str| {
/// #     let (client, password) = (authkit.confidential_client(), Password::new("a-password"));
/// #     let login = client.authenticate_with_password(EmailAddress::new(email)?, password).send().await?;
/// #     sessions.authenticate(&sessions.sign_in(login).await?).await.active()
/// # };
/// # let (ada, grace) = (signed_in("ada@example.com").await?, signed_in("grace@example.com").await?);
/// assert_eq!(post(ada)?, "ada@example.com wrote this in org_one");
/// assert!(post(grace).is_err_and(|refused| refused.response().status() == 403));
/// # Ok(()) }
/// ```
pub struct Permitted<P> {
    signed_in: SignedIn,
    member: Member,
    permission: PhantomData<fn() -> P>,
}

impl<P: Permission> Permitted<P> {
    /// Checks the permission.
    ///
    /// # Errors
    /// [`NotAdmitted::MissingPermission`], also for a user who signed in to no organization.
    pub fn check(signed_in: SignedIn) -> Result<Self, NotAdmitted> {
        let member = permitted(&signed_in, P::SLUG)?;
        Ok(Self { signed_in, member, permission: PhantomData })
    }
}

impl<P> Permitted<P> {
    /// The signed-in user.
    #[must_use]
    pub fn signed_in(&self) -> &SignedIn {
        &self.signed_in
    }

    /// The membership in this organization, if it is the one that the user signed in to and has the permission in.
    ///
    /// `id` is the organization that the data belongs to. What a path such as `/org/{id}/posts` says is the user's claim: look the data up
    /// under this ID, too.
    ///
    /// ```
    /// # use workos_auth::handlers::{Permission, Permitted};
    /// # struct WritePosts;
    /// # impl Permission for WritePosts { const SLUG: &'static str = "posts:write"; }
    /// use workos_auth::{Error, OrganizationId};
    ///
    /// /// `POST /org/{owner}/posts`
    /// fn post(author: Permitted<WritePosts>, owner: OrganizationId) -> Result<String, Error> {
    ///     let membership = author.in_organization(&owner)?;
    ///     Ok(format!("{} wrote this in {}", author.user().email, membership.organization_id()))
    /// }
    /// ```
    ///
    /// # Errors
    /// As [`VerifiedToken::in_organization`](crate::VerifiedToken::in_organization), if the user signed in to another organization: its
    /// [`response`](Error::response) is 403.
    pub fn in_organization(&self, id: &OrganizationId) -> Result<Membership<'_>, Error> {
        self.signed_in.token().in_organization(id)
    }

    /// The organization that the user signed in to, and what the user may do there.
    #[must_use]
    pub fn membership(&self) -> Membership<'_> {
        self.member.membership()
    }
}

impl<P> std::ops::Deref for Permitted<P> {
    type Target = SignedIn;

    fn deref(&self) -> &SignedIn {
        &self.signed_in
    }
}

impl<P> Clone for Permitted<P> {
    fn clone(&self) -> Self {
        Self { signed_in: self.signed_in.clone(), member: self.member.clone(), permission: PhantomData }
    }
}

impl<P> fmt::Debug for Permitted<P> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Permitted").field(&self.signed_in).finish()
    }
}

/// The one check of a permission.
pub(super) fn permitted(signed_in: &SignedIn, slug: &str) -> Result<Member, NotAdmitted> {
    let member = signed_in.token().clone().into_member();
    let permitted = member.filter(|member| member.membership().has_permission(slug));
    permitted.ok_or_else(|| NotAdmitted::MissingPermission { slug: slug.to_owned() })
}
