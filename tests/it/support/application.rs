//! An application with confidential clients, and the AuthKit that it uses.

use std::time::Duration;

use workos_auth::testing::{AuthKit, AuthKitBuilder, Endpoint, ManualClock, TestUser};
use workos_auth::{
    AuthenticationResponse, ClientBuilder, Confidential, ConfidentialClient, ExposeSecret, SessionState,
};

use super::clients::clock;
use super::{Outcome, login};

/// Where logins and refreshes are sent.
pub(crate) const AUTHENTICATE: Endpoint = Endpoint::Authenticate;

/// Its clock is that of the AuthKit too.
pub(crate) struct Application {
    pub(crate) authkit: AuthKit,
    pub(crate) clock: ManualClock,
    pub(crate) client: ConfidentialClient,
}

impl Application {
    pub(crate) async fn of(users: impl IntoIterator<Item = TestUser>) -> Outcome<Self> {
        Self::configured(users, |builder| builder).await
    }

    /// With a client that has settings of its own.
    pub(crate) async fn configured(
        users: impl IntoIterator<Item = TestUser>,
        configure: impl FnOnce(ClientBuilder<Confidential>) -> ClientBuilder<Confidential>,
    ) -> Outcome<Self> {
        let clock = clock();
        let builder = AuthKit::builder().clock(clock.clone());
        let authkit = users.into_iter().fold(builder, AuthKitBuilder::user).start().await?;
        let client = configure(authkit.confidential_client_builder()).build()?;
        Ok(Self { authkit, clock, client })
    }

    /// A client of its own is what another process has.
    pub(crate) fn another_client(&self) -> ConfidentialClient {
        self.authkit.confidential_client()
    }

    pub(crate) async fn login(&self, email: &str) -> Outcome<AuthenticationResponse> {
        login::with_password(&self.client, email).await
    }

    /// Lets the access tokens expire that there are.
    pub(crate) fn expire(&self) {
        self.clock.advance(Duration::from_secs(301));
    }

    pub(crate) fn requests(&self) -> usize {
        self.authkit.requests_to(AUTHENTICATE)
    }
}

/// The access token of a session that must be active.
pub(crate) fn access_token(state: SessionState) -> String {
    match state {
        SessionState::Active(session) => session.access_token().expose_secret().to_owned(),
        other => panic!("{other:?}"),
    }
}
