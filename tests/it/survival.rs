//! A thousand outages, drawn from a seed: when an outage is over, the session works again.

use std::time::Duration;

use tokio::task::JoinSet;
use workos_auth::testing::{AuthKit, Fault, ManualClock, TestUser};
use workos_auth::{
    Client, Confidential, ConfidentialClient, EmailAddress, Error, ErrorCode, Password, RefreshError, Session,
    TokenCheck,
};

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

const AUTHENTICATE: &str = "/user_management/authenticate";
const SCHEDULES: u64 = 1_000;
const WORKERS: u64 = 16;
/// What one attempt may take in real time; the outages last in the time of the shared clock.
const TIMEOUT: Duration = Duration::from_millis(40);

/// One outage.
#[derive(Clone, Copy, Debug)]
struct Outage {
    fault: Fault,
    length: Duration,
}

/// `SplitMix64`: the same schedules in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }

    fn outage(&mut self) -> Outage {
        let retry_after = (self.roll(2) == 0).then(|| 1 + self.roll(10));
        let fault = match self.roll(10) {
            0 => Fault::Status(500, None),
            1 => Fault::Status(502, None),
            2 => Fault::Status(503, retry_after),
            3 => Fault::Status(429, retry_after),
            4 => Fault::Status(408, None),
            5 => Fault::LostBefore,
            6 => Fault::Stall,
            7 => Fault::LostAfter,
            8 => Fault::Truncated,
            _ => Fault::Slow(TIMEOUT * 3),
        };
        let longest = match fault {
            // After the server's commit there is no more time than its window for replays; a stall takes real time.
            Fault::LostAfter | Fault::Truncated | Fault::Slow(_) | Fault::Stall => 25_000,
            _ => 60_000,
        };
        Outage { fault, length: Duration::from_millis(1 + self.roll(longest - 1)) }
    }
}

struct Application {
    authkit: AuthKit,
    client: ConfidentialClient,
    clock: ManualClock,
}

impl Application {
    async fn start() -> Outcome<Self> {
        let clock = ManualClock::new("2026-01-01T00:00:00Z".parse()?);
        let user = TestUser::new("ada@example.com").password("correct horse");
        let authkit = AuthKit::builder().clock(clock.clone()).user(user).start().await?;
        let client = Client::builder()
            .client_id(authkit.client_id())
            .api_key(authkit.api_key())
            .base_url(authkit.base_url())
            .clock(clock.clone())
            .timeout(TIMEOUT)
            .build()?;
        Ok(Self { authkit, client, clock })
    }

    /// A session with an expired token. On a busy machine a login may take longer than an attempt may.
    async fn expired(&self) -> Outcome<Session<Confidential>> {
        loop {
            let email = EmailAddress::new("ada@example.com")?;
            let login = self.client.authenticate_with_password(email, Password::new("correct horse")).send().await;
            match login {
                Ok(response) => {
                    self.clock.advance(Duration::from_secs(301));
                    return Ok(self.client.session(response.complete()?));
                }
                Err(rejected) if rejected.error().is_transient() => {}
                Err(rejected) => return Err(rejected.into()),
            }
        }
    }

    /// What an application does: it keeps the session, waits as it is told, and tries again.
    async fn survive(&self, outage: Outage) -> Outcome<Result<Session<Confidential>, Error>> {
        let mut session = self.expired().await?;
        self.authkit.inject_for(AUTHENTICATE, outage.fault, outage.length);
        loop {
            session = match session.refresh().await {
                Ok(session) => return Ok(Ok(session)),
                Err(RefreshError::Ended(error)) => return Ok(Err(error)),
                Err(RefreshError::Kept(kept)) => {
                    let now = self.clock.now();
                    let soon = kept.error().retry_after().unwrap_or(Duration::from_secs(3));
                    let wait = match kept.error().replay_before() {
                        Some(until) => soon.min(until.duration_since(now).try_into().unwrap_or(soon)),
                        None => soon,
                    };
                    self.clock.advance(wait.max(Duration::from_millis(100)));
                    kept.into_session()
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_session_is_lost_in_a_thousand_outages() -> Outcome {
    let mut workers = JoinSet::new();
    for worker in 0..WORKERS {
        workers.spawn(async move {
            let app = Application::start().await?;
            let verifier = app.client.verifier();
            for seed in (worker..SCHEDULES).step_by(usize::try_from(WORKERS)?) {
                let outage = Dice(seed).outage();
                let session = app.survive(outage).await?;
                let session = session.map_err(|error| format!("lost in schedule {seed}, {outage:?}: {error}"))?;
                app.authkit.heal();
                let check = loop {
                    match session.check(&verifier).await {
                        Err(error) if error.is_transient() => app.clock.advance(Duration::from_secs(30)),
                        check => break check?,
                    }
                };
                assert!(matches!(check, TokenCheck::Active(_)), "schedule {seed}, {outage:?}");
            }
            Outcome::Ok(app.authkit.refreshes())
        });
    }
    let mut refreshes = 0;
    while let Some(worker) = workers.join_next().await {
        refreshes += worker??;
    }
    assert_eq!(refreshes, usize::try_from(SCHEDULES)?, "each session was refreshed once, replays aside");
    Ok(())
}

/// The control: after 40 seconds the API replays nothing any more, and says so.
#[tokio::test]
async fn what_can_not_be_repaired_is_reported() -> Outcome {
    let app = Application::start().await?;
    let outage = Outage { fault: Fault::LostAfter, length: Duration::from_secs(40) };
    let error = app.survive(outage).await?.map(drop).unwrap_err();
    assert_eq!(error.code(), Some(&ErrorCode::InvalidGrant));
    Ok(())
}
