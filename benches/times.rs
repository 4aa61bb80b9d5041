//! The times of all groups, or of those that are named.

use std::collections::BTreeSet;

use tokio::runtime::Builder;
use workos_auth_bench::harness::Effort;
use workos_auth_bench::report::Report;
use workos_auth_bench::{Outcome, authenticate, scale, session, store, url};

const GROUPS: [&str; 5] = ["authenticate", "url", "session", "store", "scale"];

fn main() -> Outcome {
    let mut arguments = std::env::args().skip(1).peekable();
    match arguments.peek().map(String::as_str) {
        Some(authenticate::SERVE) => return authenticate::serve_here(),
        Some(authenticate::CLIENT) => return authenticate::client_here(arguments.skip(1)),
        _ => {}
    }
    let mut groups = BTreeSet::new();
    let mut effort = Effort::FULL;
    let mut plots = true;
    for argument in arguments {
        match argument.as_str() {
            // Cargo says it.
            "--bench" => {}
            "--quick" => (effort, plots) = (Effort::QUICK, false),
            group if GROUPS.contains(&group) => drop(groups.insert(group.to_owned())),
            other => return Err(format!("{other}: the groups are {}", GROUPS.join(", ")).into()),
        }
    }
    let runs = |group: &str| groups.is_empty() || groups.contains(group);
    let mut report = Report::new(effort, plots);
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    if runs("authenticate") {
        authenticate::run(effort, &mut report)?;
    }
    if runs("url") {
        url::run(effort, &mut report)?;
    }
    if runs("session") {
        session::run(&runtime, effort, &mut report)?;
    }
    if runs("store") {
        store::run(&runtime, effort, &mut report)?;
    }
    if runs("scale") {
        scale::run(&runtime, effort, &mut report)?;
    }
    Ok(())
}
