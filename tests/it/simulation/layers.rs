//! What is tested: one process of an application, by each of the three things that keep sessions.

use std::sync::Arc;

use serde_json::Value;
use workos_auth::secret::SessionHandle;
use workos_auth::session::{
    CookieSessions, MemorySessionStore, SessionParts, SignedOutReason, SwitchError, TokenSession,
};
use workos_auth::{
    AccessToken, Client, ConfidentialClient, CookiePassword, ExposeSecret, OrganizationId, RefreshToken, SessionCookie,
    SessionManager, SessionState, SignedIn, SignedOut,
};

use super::schedule::ORGANIZATIONS;
use super::stores::{Connection, Device};
use super::workos::Network;
use super::world::{Answer, BASE_URL, CLIENT_ID, Kind, Life, Said, World, named};
use crate::support::session::{Given, split};

/// A process of an application.
pub(crate) trait Layer: Send + Sync + Sized + 'static {
    const KIND: Kind;
    /// What all processes share.
    type Shared: Default + Send + Sync + 'static;

    fn start(world: &Arc<World>, life: &Arc<Life>, shared: &Arc<Self::Shared>) -> Self;

    /// The cookie of a new session; nothing when it is to be tried again.
    fn sign_in(&self, parts: SessionParts) -> impl Future<Output = Option<String>> + Send;

    fn visit(&self, cookie: &str) -> impl Future<Output = Answer> + Send;

    fn switch(&self, cookie: &str, organization: &str) -> impl Future<Output = Answer> + Send;

    /// Whether there is a URL to go to; nothing when it is to be tried again.
    fn sign_out(&self, cookie: &str) -> impl Future<Output = Option<bool>> + Send;

    /// The generation in a cookie that holds one.
    fn generation(&self, _cookie: &str) -> Option<usize> {
        None
    }
}

fn settings(world: &Arc<World>, life: &Arc<Life>) -> workos_auth::ClientBuilder<workos_auth::Public> {
    Client::builder()
        .client_id(CLIENT_ID)
        .base_url(BASE_URL)
        .clock(world.clocks[life.process].clone())
        .random_seed(world.schedule.seed ^ (u64::try_from(life.number).unwrap() << 32))
}

fn confidential(world: &Arc<World>, life: &Arc<Life>) -> ConfidentialClient {
    let network = Network { world: Arc::clone(world), life: Arc::clone(life) };
    settings(world, life).api_key("sk_simulated").build_with(network).unwrap()
}

/// The parts of a session from a reply.
pub(crate) fn parts(reply: &str) -> SessionParts {
    let reply: Value = serde_json::from_str(reply).unwrap();
    let text = |name: &str| reply[name].as_str().unwrap().to_owned();
    let user = serde_json::from_value(reply["user"].clone()).unwrap();
    SessionParts::new(user, AccessToken::new(text("access_token")), RefreshToken::new(text("refresh_token")))
}

fn active(session: &SignedIn, wanted: Option<&str>) -> Said {
    Said::Active {
        wanted: wanted.map(str::to_owned),
        access_token: session.access_token().expose_secret().to_owned(),
        organization: session.organization_id().map(ToString::to_string),
    }
}

fn signed_out(why: &SignedOut) -> Said {
    Said::SignedOut(match (why.reason(), why.error()) {
        (SignedOutReason::Ended, Some(error)) => format!("ended: {error}"),
        (SignedOutReason::Unreadable, Some(error)) => format!("unreadable: {error}"),
        (other, _) => format!("{other:?}"),
    })
}

fn authenticated(state: &SessionState) -> Said {
    match state {
        SessionState::Active(session) => active(session, None),
        SessionState::SignedOut(why) => signed_out(why),
        SessionState::TemporarilyUnknown(error) => Said::Unknown(error.to_string()),
    }
}

fn switched(result: &Result<SignedIn, SwitchError>, wanted: &str) -> Said {
    match result {
        Ok(session) => active(session, Some(wanted)),
        Err(SwitchError::SignedOut(why)) => signed_out(why),
        Err(error) => Said::Unknown(error.to_string()),
    }
}

fn organization(wanted: &str) -> OrganizationId {
    assert!(ORGANIZATIONS.contains(&wanted));
    OrganizationId::new(wanted).unwrap()
}

pub(crate) struct Manager(SessionManager<Connection<MemorySessionStore>>);

impl Layer for Manager {
    const KIND: Kind = Kind::Manager;
    type Shared = MemorySessionStore;

    fn start(world: &Arc<World>, life: &Arc<Life>, shared: &Arc<MemorySessionStore>) -> Self {
        let store = Connection { world: Arc::clone(world), life: Arc::clone(life), store: Arc::clone(shared) };
        Self(SessionManager::new(confidential(world, life), store))
    }

    async fn sign_in(&self, parts: SessionParts) -> Option<String> {
        self.0.sign_in(parts).await.ok().map(|handle| handle.expose_secret().to_owned())
    }

    async fn visit(&self, cookie: &str) -> Answer {
        let state = self.0.authenticate(&SessionHandle::new(cookie)).await;
        Answer { said: authenticated(&state), cookie: None, generation: None }
    }

    async fn switch(&self, cookie: &str, wanted: &str) -> Answer {
        let result = self.0.switch_organization(&SessionHandle::new(cookie), organization(wanted)).await;
        Answer { said: switched(&result, wanted), cookie: None, generation: None }
    }

    async fn sign_out(&self, cookie: &str) -> Option<bool> {
        self.0.sign_out(&SessionHandle::new(cookie), None).await.ok().map(|url| url.is_some())
    }
}

pub(crate) struct Cookies {
    sessions: CookieSessions,
    client: ConfidentialClient,
    cookie: SessionCookie,
}

fn sealing() -> SessionCookie {
    SessionCookie::new(CookiePassword::new("0123456789abcdef0123456789abcdef").unwrap()).unwrap()
}

impl Cookies {
    fn answer(&self, said: Said, cookie: Option<Given>) -> Answer {
        let cookie = cookie.map(|cookie| cookie.value);
        let generation = cookie.as_deref().and_then(|value| self.generation(value));
        Answer { said, cookie, generation }
    }
}

impl Layer for Cookies {
    const KIND: Kind = Kind::Cookies;
    type Shared = ();

    fn start(world: &Arc<World>, life: &Arc<Life>, _: &Arc<()>) -> Self {
        let client = confidential(world, life);
        Self { sessions: CookieSessions::new(client.clone(), sealing()), client, cookie: sealing() }
    }

    async fn sign_in(&self, parts: SessionParts) -> Option<String> {
        self.sessions.sign_in(parts).ok().map(|cookie| cookie.expose_secret().to_owned())
    }

    async fn visit(&self, cookie: &str) -> Answer {
        let (state, set) = split(self.sessions.authenticate(cookie).await);
        self.answer(authenticated(&state), set)
    }

    async fn switch(&self, cookie: &str, wanted: &str) -> Answer {
        let (result, set) = split(self.sessions.switch_organization(cookie, organization(wanted)).await);
        self.answer(switched(&result, wanted), set)
    }

    async fn sign_out(&self, cookie: &str) -> Option<bool> {
        Some(split(self.sessions.sign_out(cookie, None)).0.is_some())
    }

    fn generation(&self, cookie: &str) -> Option<usize> {
        let session = self.cookie.open(&self.client, cookie).ok()?;
        named(session.into_unverified_parts().refresh_token.expose_secret()).map(|(_, generation)| generation)
    }
}

pub(crate) struct Tokens(TokenSession<Connection<Device>>);

impl Layer for Tokens {
    const KIND: Kind = Kind::Tokens;
    type Shared = Device;

    fn start(world: &Arc<World>, life: &Arc<Life>, shared: &Arc<Device>) -> Self {
        let store = Connection { world: Arc::clone(world), life: Arc::clone(life), store: Arc::clone(shared) };
        let network = Network { world: Arc::clone(world), life: Arc::clone(life) };
        Self(TokenSession::new(settings(world, life).build_with(network).unwrap(), store))
    }

    async fn sign_in(&self, parts: SessionParts) -> Option<String> {
        self.0.sign_in(parts).await.ok().map(|()| String::new())
    }

    async fn visit(&self, _: &str) -> Answer {
        let state = self.0.authenticate().await;
        Answer { said: authenticated(&state), cookie: None, generation: None }
    }

    async fn switch(&self, _: &str, wanted: &str) -> Answer {
        let result = self.0.switch_organization(organization(wanted)).await;
        Answer { said: switched(&result, wanted), cookie: None, generation: None }
    }

    async fn sign_out(&self, _: &str) -> Option<bool> {
        self.0.sign_out(None).await.ok().map(|url| url.is_some())
    }
}
