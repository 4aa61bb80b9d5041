//! Three processes, users who come and go, and a network, a store, keys and clocks that fail, drawn from a seed and run in
//! virtual time: nobody is signed out who didn't sign out and whom WorkOS didn't end, and who did stays signed out.
//!
//! `WORKOS_SEEDS` says how many seeds are run; `WORKOS_SEED` runs one of them. A seed that fails prints its schedule and what
//! happened. The seed decides what is drawn; those who wake at the same moment may take turns in another order.

mod layers;
mod schedule;
mod stores;
mod users;
mod workos;
mod world;

use std::ops::Range;
use std::sync::LazyLock;

use workos_auth::{AccessToken, ExposeSecret};

use crate::support::dice::number;
use crate::support::signer::Signer;
use layers::{Cookies, Layer, Manager, Tokens};
use schedule::Schedule;
use users::simulate;
use world::World;

/// Without `WORKOS_SEEDS`.
const SEEDS: u64 = 50;

static SIGNER: LazyLock<Signer> = LazyLock::new(|| Signer::new("key_1"));

fn exposed(token: &AccessToken) -> String {
    token.expose_secret().to_owned()
}

fn seeds() -> Range<u64> {
    match number("WORKOS_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("WORKOS_SEEDS").unwrap_or(SEEDS),
    }
}

/// Runs each seed in a runtime of its own, whose time is virtual.
fn run<L: Layer>(users: u64) {
    let mut failed = Vec::new();
    for seed in seeds() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let verdict = runtime.block_on(async {
            let world = World::new(L::KIND, Schedule::draw(seed, users), &SIGNER);
            simulate::<L>(&world).await;
            world.verdict()
        });
        if let Err(report) = verdict {
            eprintln!("{report}");
            failed.push(seed);
        }
    }
    assert!(failed.is_empty(), "{:?}: {} seeds failed: {failed:?}", L::KIND, failed.len());
}

#[test]
fn a_manager_loses_nobody() {
    run::<Manager>(3);
}

#[test]
fn cookie_sessions_lose_nobody_who_comes_back_in_time() {
    run::<Cookies>(3);
}

#[test]
fn a_token_session_loses_nobody() {
    run::<Tokens>(1);
}
