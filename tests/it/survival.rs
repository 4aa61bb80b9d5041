//! A thousand outages, drawn from a seed: when an outage is over, the session works again.

use std::time::{Duration, SystemTime};

use tokio::task::JoinSet;
use workos_auth::session::{NotActive, RefreshError};
use workos_auth::testing::{Fault, TestUser};
use workos_auth::{Confidential, Error, ErrorCode, OpenedSession};

use crate::support::Outcome;
use crate::support::adapter::{ADAPTERS, Adapter};
use crate::support::application::{AUTHENTICATE, Application};
use crate::support::dice::{Dice, number};
use crate::support::login::PASSWORD;
use crate::support::session::keep;

/// The gate draws a thousand.
const SCHEDULES: u64 = 200;
const WORKERS: u64 = 16;
/// What one attempt may take: nobody waits for it, since the time of the runtime is virtual. The outages last in the time of
/// the application's clock.
const TIMEOUT: Duration = Duration::from_secs(1);

/// One outage.
#[derive(Clone, Copy, Debug)]
struct Outage {
    fault: Fault,
    length: Duration,
}

impl Outage {
    fn draw(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let retry_after = (dice.roll(2) == 0).then(|| 1 + dice.roll(10));
        let fault = match dice.roll(10) {
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
            // After the server's commit there is no more time than its window for replays.
            Fault::LostAfter | Fault::Truncated | Fault::Slow(_) | Fault::Stall => 25_000,
            _ => 60_000,
        };
        Self { fault, length: Duration::from_millis(1 + dice.roll(longest - 1)) }
    }
}

async fn start(adapter: Adapter) -> Outcome<Application> {
    let ada = TestUser::new("ada@example.com").password(PASSWORD);
    let mut app = Application::of([ada]).await?;
    app.client = adapter.build(app.authkit.confidential_client_builder().timeout(TIMEOUT))?;
    Ok(app)
}

/// What an application does: it keeps the session, waits as it is told, and tries again.
async fn survive(app: &Application, outage: Outage) -> Outcome<Result<OpenedSession<Confidential>, Error>> {
    let mut session = app.client.session(app.login("ada@example.com").await?);
    app.expire();
    app.authkit.inject_for(AUTHENTICATE, outage.fault, outage.length);
    loop {
        session = match session.refresh().await {
            Ok(refreshed) => return Ok(Ok(keep(refreshed))),
            Err(RefreshError::Ended(over)) => return Ok(Err(over.into())),
            Err(RefreshError::Kept(kept)) => {
                let now = app.clock.now();
                let soon = kept.error().retry_after().unwrap_or(Duration::from_secs(3));
                let wait = match kept.error().replay_before() {
                    Some(until) => soon.min(SystemTime::from(until).duration_since(now).unwrap_or(soon)),
                    None => soon,
                };
                app.clock.advance(wait.max(Duration::from_millis(100)));
                keep(kept.into_refreshed())
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn no_session_is_lost_in_a_thousand_outages() -> Outcome {
    let schedules = number("WORKOS_SEEDS").map_or(SCHEDULES, |_| 1_000);
    let mut workers = JoinSet::new();
    for worker in 0..WORKERS {
        let adapter = ADAPTERS[usize::from(worker % 2 == 0)];
        workers.spawn(async move {
            let app = start(adapter).await?;
            let verifier = app.client.verifier();
            for seed in (worker..schedules).step_by(usize::try_from(WORKERS)?) {
                let outage = Outage::draw(seed);
                let session = survive(&app, outage).await?;
                let mut session = session.map_err(|error| format!("lost in schedule {seed}, {outage:?}: {error}"))?;
                app.authkit.heal();
                let check = loop {
                    match session.check(&verifier).await {
                        Err(NotActive::KeysUnavailable(rejected)) if rejected.error().is_transient() => {
                            session = rejected.recover()?;
                            app.clock.advance(Duration::from_secs(30));
                        }
                        check => break check,
                    }
                };
                assert!(check.is_ok(), "schedule {seed}, {outage:?}: {check:?}");
            }
            Outcome::Ok(app.authkit.refreshes())
        });
    }
    let mut refreshes = 0;
    while let Some(worker) = workers.join_next().await {
        refreshes += worker??;
    }
    assert_eq!(refreshes, usize::try_from(schedules)?, "each session was refreshed once, replays aside");
    Ok(())
}

/// The control: after 40 seconds the API replays nothing any more, and says so.
#[tokio::test(start_paused = true)]
async fn what_can_not_be_repaired_is_reported() -> Outcome {
    for adapter in ADAPTERS {
        let app = start(adapter).await?;
        let outage = Outage { fault: Fault::LostAfter, length: Duration::from_secs(40) };
        let error = survive(&app, outage).await?.map(drop).unwrap_err();
        assert_eq!(error.code(), Some(&ErrorCode::InvalidGrant));
    }
    Ok(())
}
