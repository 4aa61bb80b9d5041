//! The profile of a user who signed in over SSO.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Role, null_is_empty};
use crate::id::{ConnectionId, OrganizationId, ProfileId};
use crate::open_enum::open_enum;

/// A user's profile at an identity provider. It belongs to the SSO API only, and isn't a [`User`](crate::User).
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Profile {
    /// The ID (`prof_…`).
    pub id: ProfileId,
    /// The organization of the connection.
    pub organization_id: Option<OrganizationId>,
    /// The connection.
    pub connection_id: ConnectionId,
    /// The kind of the connection.
    pub connection_type: ConnectionType,
    /// The user's ID at the identity provider.
    pub idp_id: String,
    /// The e-mail address that the identity provider asserts.
    pub email: UnverifiedEmail,
    /// The first name.
    pub first_name: Option<String>,
    /// The last name.
    pub last_name: Option<String>,
    /// The full name.
    pub name: Option<String>,
    /// The role, or the first of several.
    pub role: Option<Role>,
    /// All roles.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub roles: Vec<Role>,
    /// The groups at the identity provider.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub groups: Vec<String>,
    /// The attributes that the connection maps.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub custom_attributes: BTreeMap<String, Value>,
    /// All attributes that the identity provider sent.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub raw_attributes: BTreeMap<String, Value>,
}

/// An e-mail address that an identity provider asserts and WorkOS has not verified.
///
/// The administrator of an identity provider can enter any address. So it can't be compared with other addresses by `==`: find a
/// user by [`Profile::id`], or by [`Profile::idp_id`] within its connection.
#[derive(Clone, Deserialize, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct UnverifiedEmail(String);

impl UnverifiedEmail {
    /// The address, to show it, or to send a verification code to it.
    #[must_use]
    pub fn as_unverified_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for UnverifiedEmail {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "UnverifiedEmail({})", self.0)
    }
}

open_enum! {
    /// The kind of an SSO connection.
    ConnectionType {
        Pending = "Pending",
        AdfsSaml = "ADFSSAML",
        AdpOidc = "AdpOidc",
        AppleOAuth = "AppleOAuth",
        Auth0Migration = "Auth0Migration",
        Auth0Saml = "Auth0SAML",
        AzureSaml = "AzureSAML",
        BitbucketOAuth = "BitbucketOAuth",
        CasSaml = "CasSAML",
        ClassLinkSaml = "ClassLinkSAML",
        CleverOidc = "CleverOIDC",
        CloudflareSaml = "CloudflareSAML",
        CyberArkSaml = "CyberArkSAML",
        DiscordOAuth = "DiscordOAuth",
        DuoSaml = "DuoSAML",
        EntraIdOidc = "EntraIdOIDC",
        GenericOidc = "GenericOIDC",
        GenericSaml = "GenericSAML",
        GitHubOAuth = "GitHubOAuth",
        GitLabOAuth = "GitLabOAuth",
        GoogleOAuth = "GoogleOAuth",
        GoogleOidc = "GoogleOIDC",
        GoogleSaml = "GoogleSAML",
        GrokOAuth = "GrokOAuth",
        XOAuth = "XOAuth",
        IntuitOAuth = "IntuitOAuth",
        JumpCloudSaml = "JumpCloudSAML",
        KeycloakSaml = "KeycloakSAML",
        LastPassSaml = "LastPassSAML",
        LinkedInOAuth = "LinkedInOAuth",
        LoginGovOidc = "LoginGovOidc",
        MagicLink = "MagicLink",
        MicrosoftOAuth = "MicrosoftOAuth",
        MiniOrangeSaml = "MiniOrangeSAML",
        NetIqSaml = "NetIqSAML",
        OktaOidc = "OktaOIDC",
        OktaSaml = "OktaSAML",
        OneLoginSaml = "OneLoginSAML",
        OracleSaml = "OracleSAML",
        PingFederateSaml = "PingFederateSAML",
        PingOneSaml = "PingOneSAML",
        RipplingSaml = "RipplingSAML",
        SalesforceSaml = "SalesforceSAML",
        ShibbolethGenericSaml = "ShibbolethGenericSAML",
        ShibbolethSaml = "ShibbolethSAML",
        SimpleSamlPhpSaml = "SimpleSamlPhpSAML",
        SalesforceOAuth = "SalesforceOAuth",
        SlackOAuth = "SlackOAuth",
        TestIdp = "TestIdp",
        VercelMarketplaceOAuth = "VercelMarketplaceOAuth",
        VercelOAuth = "VercelOAuth",
        VMwareSaml = "VMwareSAML",
        XeroOAuth = "XeroOAuth",
    }
}
