//! The users of the in-process AuthKit.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::refusal::Refusal;
use super::values::api_time;
use crate::wire;

/// When the users that a test configures were created: 2026-01-01.
const CONFIGURED_USERS_CREATED_AT: Timestamp = Timestamp::constant(1_767_225_600, 0);

/// What WorkOS Radar demands from a user during a password or Magic Auth login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RadarDemand {
    /// The code that is sent by e-mail.
    Email,
    /// A new user's telephone number, and the code that is sent to it.
    SmsSignUp,
    /// The code that is sent to the telephone number on file.
    SmsSignIn,
}

/// What a login demands as a second factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mfa {
    Off,
    /// A code of the enrolled TOTP factor. The application requests the challenge.
    Enrolled,
    /// A code of the enrolled TOTP factor. The login creates the challenge.
    Challenged,
    /// The user must enroll a factor first.
    MustEnroll,
}

/// A user's membership in an organization, with a role and permissions there: see [`TestUser::organization`].
#[derive(Clone, Debug)]
pub struct TestMembership {
    pub(super) organization_id: String,
    pub(super) role: Option<String>,
    permissions: Vec<String>,
}

impl TestMembership {
    /// A membership in the organization with this ID.
    #[must_use]
    pub fn new(organization_id: impl Into<String>) -> Self {
        Self { organization_id: organization_id.into(), role: None, permissions: Vec::new() }
    }

    /// Sets the role in access tokens for this organization.
    #[must_use]
    pub fn role(mut self, role: impl Into<String>) -> Self {
        self.role = Some(role.into());
        self
    }

    /// Adds a permission to access tokens for this organization.
    #[must_use]
    pub fn permission(mut self, permission: impl Into<String>) -> Self {
        self.permissions.push(permission.into());
        self
    }
}

impl<T: Into<String>> From<T> for TestMembership {
    fn from(organization_id: T) -> Self {
        Self::new(organization_id)
    }
}

/// A user of an [`AuthKit`](super::AuthKit). It is displayed as the address, the name, and what belongs to the user.
///
/// ```
/// use workos_auth::testing::{TestMembership, TestUser};
///
/// let ada = TestUser::new("ada@example.com")
///     .totp()
///     .organization(TestMembership::new("org_one").role("admin").permission("posts:write"))
///     .organization("org_two");
/// assert_eq!(ada.to_string(), "ada@example.com: second factor, org_one (admin: posts:write), org_two");
/// ```
#[derive(Clone)]
pub struct TestUser {
    pub(super) id: String,
    pub(super) email: String,
    pub(super) password: Option<String>,
    pub(super) email_verified: bool,
    pub(super) mfa: Mfa,
    pub(super) radar: Option<RadarDemand>,
    first_name: Option<String>,
    last_name: Option<String>,
    pub(super) external_id: Option<String>,
    /// The first one is that of a login that names none.
    pub(super) organizations: Vec<TestMembership>,
    /// Where the membership has none.
    role: Option<String>,
    /// In addition to those of the membership.
    permissions: Vec<String>,
    metadata: BTreeMap<String, String>,
    pub(super) created_at: Timestamp,
    updated_at: Timestamp,
}

impl TestUser {
    /// Creates a user with a verified e-mail address. The ID is derived from the address.
    #[must_use]
    pub fn new(email: impl Into<String>) -> Self {
        let email = email.into();
        let id = format!("user_{}", wire::sha256_hex(&email)[..26].to_uppercase());
        Self {
            id,
            email,
            password: None,
            email_verified: true,
            mfa: Mfa::Off,
            radar: None,
            first_name: None,
            last_name: None,
            external_id: None,
            organizations: Vec::new(),
            role: None,
            permissions: Vec::new(),
            metadata: BTreeMap::new(),
            created_at: CONFIGURED_USERS_CREATED_AT,
            updated_at: CONFIGURED_USERS_CREATED_AT,
        }
    }

    /// Sets the first and last name.
    #[must_use]
    pub fn name(mut self, first: impl Into<String>, last: impl Into<String>) -> Self {
        (self.first_name, self.last_name) = (Some(first.into()), Some(last.into()));
        self
    }

    /// Sets a password. Without this, the user has no password.
    #[must_use]
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// Makes the e-mail address unverified: a login demands the code that is sent to it.
    #[must_use]
    pub fn unverified(mut self) -> Self {
        self.email_verified = false;
        self
    }

    /// Enrolls a TOTP factor: a login demands a code from it.
    #[must_use]
    pub fn totp(mut self) -> Self {
        self.mfa = Mfa::Enrolled;
        self
    }

    /// As [`totp`](Self::totp), but the login itself creates the challenge, as some servers do.
    #[must_use]
    pub fn totp_challenged(mut self) -> Self {
        self.mfa = Mfa::Challenged;
        self
    }

    /// Makes the next login demand that the user enrolls a second factor.
    #[must_use]
    pub fn must_enroll_mfa(mut self) -> Self {
        self.mfa = Mfa::MustEnroll;
        self
    }

    /// Makes Radar demand something at each password or Magic Auth login.
    #[must_use]
    pub fn radar(mut self, demand: RadarDemand) -> Self {
        self.radar = Some(demand);
        self
    }

    /// Adds a membership in an organization: its ID, or a [`TestMembership`] with a role and permissions there.
    ///
    /// With several, password and Magic Auth logins ask the user to select one; a login in the browser takes the first, or the one
    /// that it names.
    #[must_use]
    pub fn organization(mut self, membership: impl Into<TestMembership>) -> Self {
        self.organizations.push(membership.into());
        self
    }

    /// Sets the role in each organization whose membership has no role of its own.
    #[must_use]
    pub fn role(mut self, role: impl Into<String>) -> Self {
        self.role = Some(role.into());
        self
    }

    /// Adds a permission in each of the user's organizations.
    #[must_use]
    pub fn permission(mut self, permission: impl Into<String>) -> Self {
        self.permissions.push(permission.into());
        self
    }

    /// Adds an entry to the user's metadata.
    #[must_use]
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata.insert(key.into(), value.into());
        self
    }

    /// Sets the application's own ID of the user.
    #[must_use]
    pub fn external_id(mut self, id: impl Into<String>) -> Self {
        self.external_id = Some(id.into());
        self
    }

    /// The user's ID, which the user's tokens have too.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The user's e-mail address.
    #[must_use]
    pub fn email(&self) -> &str {
        &self.email
    }

    pub(super) fn membership(&self, organization_id: &str) -> Option<&TestMembership> {
        self.organizations.iter().find(|membership| membership.organization_id == organization_id)
    }

    pub(super) fn check_member_of(&self, organization_id: &str) -> Result<(), Refusal> {
        let refusal = Refusal::OAuth("organization_membership_not_found", "The user isn't a member.");
        self.membership(organization_id).map(drop).ok_or(refusal)
    }

    /// The organization of a login that names none.
    pub(super) fn first_organization(&self) -> Option<String> {
        self.organizations.first().map(|membership| membership.organization_id.clone())
    }

    pub(super) fn role_in<'a>(&'a self, membership: &'a TestMembership) -> Option<&'a str> {
        membership.role.as_deref().or(self.role.as_deref())
    }

    pub(super) fn permissions_in<'a>(&'a self, membership: &'a TestMembership) -> Vec<&'a str> {
        membership.permissions.iter().chain(&self.permissions).map(String::as_str).collect()
    }

    pub(super) fn add_organization(&mut self, organization_id: &str) -> &mut TestMembership {
        let known = self.organizations.iter().position(|membership| membership.organization_id == organization_id);
        let index = known.unwrap_or(self.organizations.len());
        if known.is_none() {
            self.organizations.push(TestMembership::new(organization_id));
        }
        &mut self.organizations[index]
    }

    pub(super) fn must_enroll(&self) -> bool {
        self.mfa == Mfa::MustEnroll
    }

    /// First and last name, if the user has both.
    pub(super) fn full_name(&self) -> Option<String> {
        self.first_name.as_ref().zip(self.last_name.as_ref()).map(|(first, last)| format!("{first} {last}"))
    }

    /// What belongs to the user, in words.
    pub(super) fn description(&self) -> String {
        let membership = |membership: &TestMembership| {
            let id = &membership.organization_id;
            let permissions = self.permissions_in(membership).join(", ");
            match (self.role_in(membership), permissions.is_empty()) {
                (None, true) => id.clone(),
                (None, false) => format!("{id} ({permissions})"),
                (Some(role), true) => format!("{id} ({role})"),
                (Some(role), false) => format!("{id} ({role}: {permissions})"),
            }
        };
        let facts = [
            (self.password.is_some(), "password"),
            (!self.email_verified, "e-mail address not verified"),
            (matches!(self.mfa, Mfa::Enrolled | Mfa::Challenged), "second factor"),
            (self.mfa == Mfa::MustEnroll, "must enroll a second factor"),
        ];
        let facts = facts.into_iter().filter(|(is_so, _)| *is_so).map(|(_, fact)| fact.to_owned());
        facts.chain(self.organizations.iter().map(membership)).collect::<Vec<_>>().join(", ")
    }

    /// Applies the body of a request that creates or updates the user.
    pub(super) fn update(&mut self, body: &Value, now: Timestamp) {
        let text = |name: &str| body[name].as_str().map(str::to_owned);
        let set = |field: &mut Option<String>, name: &str| {
            if body.get(name).is_some() {
                *field = text(name);
            }
        };
        set(&mut self.first_name, "first_name");
        set(&mut self.last_name, "last_name");
        set(&mut self.external_id, "external_id");
        set(&mut self.password, "password");
        self.email = text("email").unwrap_or(std::mem::take(&mut self.email));
        self.email_verified = body["email_verified"].as_bool().unwrap_or(self.email_verified);
        if let Some(metadata) = body.get("metadata") {
            self.metadata = serde_json::from_value(metadata.clone()).unwrap_or_default();
        }
        self.updated_at = now;
    }

    pub(super) fn json(&self, last_sign_in_at: Option<Timestamp>) -> Value {
        json!({
            "object": "user",
            "id": self.id,
            "email": self.email,
            "email_verified": self.email_verified,
            "first_name": self.first_name,
            "last_name": self.last_name,
            "name": self.full_name(),
            "profile_picture_url": null,
            "last_sign_in_at": last_sign_in_at.map(api_time),
            "locale": null,
            "external_id": self.external_id,
            "metadata": self.metadata,
            "created_at": api_time(self.created_at),
            "updated_at": api_time(self.updated_at),
        })
    }

    /// The user's SSO profile.
    pub(super) fn profile(&self) -> Value {
        json!({
            "object": "profile", "id": self.id.replacen("user_", "prof_", 1),
            "organization_id": self.first_organization(), "connection_id": "conn_test",
            "connection_type": "TestIdp", "idp_id": self.id, "email": self.email,
            "first_name": self.first_name, "last_name": self.last_name, "name": null, "role": null, "roles": null,
            "groups": [], "custom_attributes": {}, "raw_attributes": {"email": self.email},
        })
    }
}

impl fmt::Display for TestUser {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.email)?;
        if let Some(name) = self.full_name() {
            write!(formatter, " ({name})")?;
        }
        let description = self.description();
        if description.is_empty() { Ok(()) } else { write!(formatter, ": {description}") }
    }
}

impl fmt::Debug for TestUser {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("TestUser").field("email", &self.email).finish_non_exhaustive()
    }
}
