//! What the peers without a model of their own parse the answer into: the same fields as `workos-auth`, and times as times.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub const CLIENT_ID: &str = "client_01HXYZ123456789ABCDEFGHIJK";
pub const API_KEY: &str = "sk_test_0123456789abcdefghijklmnopqrstuvwxyz";

#[derive(Deserialize)]
pub struct Answer {
    pub user: User,
    pub access_token: String,
    pub refresh_token: String,
    pub organization_id: Option<String>,
    pub authentication_method: Option<String>,
    pub impersonator: Option<Impersonator>,
    pub oauth_tokens: Option<OAuthTokens>,
    pub authkit_authorization_code: Option<String>,
}

/// What `oauth2` reads beside the tokens.
#[derive(Debug, Deserialize, Serialize)]
pub struct Extra {
    pub user: User,
    pub organization_id: Option<String>,
    pub authentication_method: Option<String>,
    pub impersonator: Option<Impersonator>,
    pub oauth_tokens: Option<OAuthTokens>,
    pub authkit_authorization_code: Option<String>,
}

impl oauth2::ExtraTokenFields for Extra {}

#[derive(Debug, Deserialize, Serialize)]
pub struct User {
    pub id: String,
    pub email: String,
    pub email_verified: bool,
    pub name: Option<String>,
    pub first_name: Option<String>,
    pub last_name: Option<String>,
    pub profile_picture_url: Option<String>,
    pub locale: Option<String>,
    pub external_id: Option<String>,
    pub metadata: BTreeMap<String, String>,
    pub last_sign_in_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

#[derive(Debug, Deserialize, Serialize)]
pub struct Impersonator {
    pub email: String,
    pub reason: Option<String>,
}

#[derive(Debug, Deserialize, Serialize)]
pub struct OAuthTokens {
    pub provider: String,
    pub access_token: String,
    pub refresh_token: Option<String>,
    pub expires_at: Option<i64>,
    pub scopes: Vec<String>,
}

/// The body of a refresh.
#[derive(Serialize)]
pub struct Body<'a> {
    pub grant_type: &'static str,
    pub client_id: &'static str,
    pub client_secret: &'static str,
    pub refresh_token: &'a str,
}

impl<'a> Body<'a> {
    pub fn new(refresh_token: &'a str) -> Self {
        Self { grant_type: "refresh_token", client_id: CLIENT_ID, client_secret: API_KEY, refresh_token }
    }
}
