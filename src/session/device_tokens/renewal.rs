//! The renewal of a device's session: under the store's lock, so that one process exchanges the refresh token and the others replay its
//! request.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::session::TokenSession;
use super::store::TokenStore;
use super::stored::Held;
use crate::credentials::Public;
use crate::error::Error;
use crate::id::OrganizationId;
use crate::secret::StoredToken;
use crate::session::checks::{Need, time_left};
use crate::session::parts::Session;
use crate::session::refresh::{BareError, BareSession};
use crate::session::state::{SignedIn, SignedOut, Stop};
use crate::session::{WRITE_RETRY_FOR, WRITE_RETRY_PAUSE};
use crate::single_flight::channel;
use crate::wire;

/// How long after an exchange other processes replay it: half of the time in which WorkOS answers a replay with the same pair.
const REPLAY_FOR: Duration = Duration::from_secs(15);
/// How long a caller waits for a new token to be written, before it hears that the store fails. Then it goes on in the background, and
/// no other process gets the lock.
const WRITE_WAIT: Duration = Duration::from_secs(5);
/// How long to wait, after a refusal, for a process that took no lock to write its token.
const UNLOCKED_WRITER_WAIT: Duration = Duration::from_millis(200);

/// What this process has without an exchange.
enum AtHand {
    Valid(SignedIn),
    /// Valid, but not for long.
    Short(SignedIn),
    Nothing,
}

impl<S: TokenStore> TokenSession<S> {
    /// The user, if signed in: with tokens of the organization to switch to, or with the ones at hand while they are valid.
    pub(super) async fn signed_in(&self, switch_to: Option<OrganizationId>) -> Result<SignedIn, Stop> {
        let mut deadline = self.checks.deadline();
        let mut old = None;
        if switch_to.is_none() {
            let held = deadline.limit(self.read(SignedOut::not_found())).await??;
            match deadline.limit(self.at_hand(&held)).await?? {
                AtHand::Valid(session) => return Ok(session),
                AtHand::Short(session) => {
                    deadline = deadline.or_after(time_left(session.token(), self.client.core.runtime.clock.now()));
                    old = Some(session);
                }
                AtHand::Nothing => {}
            }
        }
        match (deadline.limit(self.renewed(switch_to)).await.and_then(|renewed| renewed), old) {
            // Its token is still valid, and the next process needs no newer one.
            (Err(Stop::Unknown(_)), Some(old)) if self.not_kept().is_none() => Ok(old),
            // Perhaps of another call, which waits for the store.
            (Err(Stop::Unknown(error)), _) => Err(Stop::Unknown(self.not_kept().unwrap_or(error))),
            (renewed, _) => renewed,
        }
    }

    /// The user after a renewal. It has a task of its own, so that a new pair is written even when the caller is cancelled.
    async fn renewed(&self, switch_to: Option<OrganizationId>) -> Result<SignedIn, Stop> {
        let this = self.clone();
        let (teller, listener) = channel();
        self.client.spawn(async move {
            let renewal = async {
                // A task that waits for the lock after its caller has gone would only be in the way of others.
                let lock = teller.while_wanted(this.locked()).await;
                let lock = lock.ok_or_else(|| Stop::Unknown(Error::abandoned()))?.map_err(Stop::Unknown)?;
                this.renew(lock, switch_to, |stop| teller.tell(Err(stop))).await
            };
            let result = teller.keep_alive(renewal).await;
            teller.tell(result);
        });
        listener.wait().await.unwrap_or_else(|| Err(Stop::Unknown(Error::abandoned())))
    }

    /// `early` tells the caller an error before the work is done.
    async fn renew(
        &self,
        _lock: S::Lock,
        switch_to: Option<OrganizationId>,
        early: impl Fn(Stop),
    ) -> Result<SignedIn, Stop> {
        // Another process may have had the lock.
        let held = self.read(if switch_to.is_some() { SignedOut::not_found() } else { SignedOut::removed() }).await?;
        if switch_to.is_none()
            && let AtHand::Valid(session) = self.at_hand(&held).await?
        {
            return Ok(session);
        }
        self.store.check_writable().await.map_err(unavailable)?;
        let error = match self.exchange(&held, switch_to.clone()).await {
            Err(BareError::Ended(error)) => error,
            result => return self.keep_and_activate(held, switch_to.is_some(), result, early).await,
        };
        sleep(UNLOCKED_WRITER_WAIT).await;
        let newer = self.read(SignedOut::removed()).await?;
        if wire::same(&held.refresh_token, &newer.refresh_token) {
            self.store.remove().await.map_err(unavailable)?;
            return Err(Stop::SignedOut(SignedOut::ended(error)));
        }
        let result = self.exchange(&newer, switch_to.clone()).await;
        self.keep_and_activate(newer, switch_to.is_some(), result, early).await
    }

    /// An access token that needs no new exchange: this process's, or the one that another process got a moment ago.
    async fn at_hand(&self, held: &Held) -> Result<AtHand, Stop> {
        // The next process would not be signed in.
        if self.not_kept().is_some() {
            return Ok(AtHand::Nothing);
        }
        let mut known = self.remembered(held);
        if known.is_none() {
            let Some(replaced) = &held.replaced else { return Ok(AtHand::Nothing) };
            let age = self.client.core.runtime.clock.now().duration_since(replaced.at);
            if !Duration::try_from(age).is_ok_and(|age| age < REPLAY_FOR) {
                return Ok(AtHand::Nothing);
            }
            let replay = BareSession { token: &replaced.refresh_token, held: None }.renew(&self.client, None).await;
            let Ok(session) = replay else { return Ok(AtHand::Nothing) };
            // Another process may have exchanged the token meanwhile.
            if !wire::same(&session.parts.refresh_token, &held.refresh_token) {
                return Ok(AtHand::Nothing);
            }
            let session = Arc::new(session);
            self.remember(held.login.clone(), &session);
            known = Some(session);
        }
        let Some(session) = known else { return Ok(AtHand::Nothing) };
        Ok(match self.checks.need(&session, session.known().age).await? {
            Need::Nothing(token) => AtHand::Valid(SignedIn::new(session.copy(), token)),
            Need::RefreshSoon(token) => AtHand::Short(SignedIn::new(session.copy(), token)),
            Need::Refresh => AtHand::Nothing,
        })
    }

    async fn read(&self, missing: SignedOut) -> Result<Held, Stop> {
        match self.store.read().await {
            Ok(Some(token)) => Held::read(&token),
            Ok(None) => Err(Stop::SignedOut(missing)),
            Err(error) => Err(unavailable(error)),
        }
    }

    async fn exchange(
        &self,
        held: &Held,
        switch_to: Option<OrganizationId>,
    ) -> Result<Session<Public>, BareError<Public>> {
        let known = self.remembered(held);
        let known = known.as_ref().map(|session| &session.parts.access_token);
        let bare = BareSession { token: &held.refresh_token, held: known };
        let session = bare.renew(&self.client, switch_to.clone()).await?;
        if !session.is_from_before() {
            return Ok(session);
        }
        // The store has lost a token that this process got before, so the pair is an old one.
        let parts = session.parts;
        BareSession { token: &parts.refresh_token, held: Some(&parts.access_token) }
            .renew(&self.client, switch_to)
            .await
    }

    /// Writes the new token, and then verifies the access token that came with it: nobody is told of a pair that isn't kept.
    async fn keep_and_activate(
        &self,
        held: Held,
        is_switch: bool,
        result: Result<Session<Public>, BareError<Public>>,
        early: impl Fn(Stop),
    ) -> Result<SignedIn, Stop> {
        let (session, problem) = match result {
            Ok(session) => (session, None),
            Err(BareError::Kept(error, Some(session))) => (*session, Some(error)),
            Err(BareError::Kept(error, None)) => return Err(Stop::Unknown(error)),
            Err(BareError::Ended(error)) => return Err(Stop::SignedOut(SignedOut::ended(error))),
        };
        if !wire::same(&held.refresh_token, &session.parts.refresh_token) {
            // A switch must not be replayed: that request names an organization.
            let at = self.client.core.runtime.clock.now();
            let replaced = (!is_switch).then_some((&held.refresh_token, at));
            let token = Held::write(&session.parts.refresh_token, &held.login, replaced).map_err(Stop::Unknown)?;
            // This is the only copy of the token.
            let token = Arc::new(token);
            let began = Instant::now();
            while let Err(error) = self.write(&token).await {
                let error = Error::session_store(error);
                self.set_not_kept(Some(error.clone()));
                // A removal needs no room.
                if began.elapsed() >= WRITE_RETRY_FOR || self.is_signing_out() {
                    return Err(Stop::Unknown(error));
                }
                if began.elapsed() >= WRITE_WAIT {
                    early(Stop::Unknown(error));
                }
                sleep(WRITE_RETRY_PAUSE).await;
            }
            self.set_not_kept(None);
        }
        let session = Arc::new(session);
        self.remember(held.login, &session);
        match problem {
            Some(error) => Err(Stop::Unknown(error)),
            None => self.checks.activate(session.copy()).await,
        }
    }

    /// One attempt, in a task of its own: if it panics, others follow.
    async fn write(&self, token: &Arc<StoredToken>) -> io::Result<()> {
        let (store, token) = (Arc::clone(&self.store), Arc::clone(token));
        let attempt = self.client.spawn(async move { store.write(&token).await });
        // Without the message of a panic, which may be a secret.
        attempt.await.unwrap_or_else(|error| Err(error.into()))
    }
}

fn unavailable(error: io::Error) -> Stop {
    Stop::Unknown(Error::session_store(error))
}
