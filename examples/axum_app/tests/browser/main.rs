//! The application in headless Chromium, as its users have it: behind https, with AuthKit's own pages.
//!
//! It needs Debian's `chromium` and `chromium-driver`, so it runs where `WORKOS_BROWSER` is set, and there it must run.
//! `WORKOS_BROWSER=1 cargo test -p axum_app --test browser -- back` runs the cases whose name contains `back`.
//! Screenshots go to `target/screenshots`.

mod authkit_pages;
mod cases;
mod chromium;
mod looks;
mod site;

use std::error::Error as StdError;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use chromium::Driver;
use tokio::sync::Semaphore;
use tokio::task::{JoinSet, LocalSet};

/// Each one has a browser, or two.
const AT_THE_SAME_TIME: usize = 3;

type Outcome<T = ()> = Result<T, Box<dyn StdError + Send + Sync>>;

fn main() -> ExitCode {
    if std::env::var_os("WORKOS_BROWSER").is_none() {
        println!("SKIPPED: set WORKOS_BROWSER where chromium and chromium-driver are installed");
        return ExitCode::SUCCESS;
    }
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    match runtime.map_err(Into::into).and_then(|runtime| LocalSet::new().block_on(&runtime, run(&wanted))) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(failed) => {
            eprintln!("{failed} cases failed");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("the browser doesn't start: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the wanted cases, and says how many failed. Most of a case is waiting, so that some run at the same time.
async fn run(wanted: &[String]) -> Outcome<usize> {
    let driver = Driver::start().await?;
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|wanted| name.contains(wanted.as_str()));
    let places = Arc::new(Semaphore::new(AT_THE_SAME_TIME));
    let mut cases = JoinSet::new();
    for (name, case) in cases::all().into_iter().filter(|(name, _)| is_wanted(name)) {
        let (places, driver) = (places.clone(), driver.clone());
        cases.spawn_local(async move {
            let place = places.acquire().await;
            let started = Instant::now();
            // A case is a task of its own, so that a failed assertion ends only this case.
            let outcome = match tokio::task::spawn_local(case(driver)).await {
                Ok(outcome) => outcome,
                Err(panic) => Err(panic.into()),
            };
            drop(place);
            let seconds = started.elapsed().as_secs_f32();
            match &outcome {
                Ok(()) => println!("ok      {name} ({seconds:.1} s)"),
                Err(error) => println!("FAILED  {name} ({seconds:.1} s): {error}"),
            }
            outcome.is_ok()
        });
    }
    let ran = cases.len();
    if ran == 0 {
        return Err("no case has such a name".into());
    }
    let passed = cases.join_all().await.into_iter().filter(|passed| *passed).count();
    println!("{passed} of {ran} cases passed");
    Ok(ran - passed)
}
