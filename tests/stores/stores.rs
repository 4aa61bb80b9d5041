//! The session stores on real servers: Redis, alone and in a cluster and with Sentinel, PostgreSQL, SQLite. Several processes, a process
//! that is killed, a server that is killed.
//!
//! It needs Debian's `redis-server` and `postgresql`, so it runs where `WORKOS_STORES` is set, and there it must run. Arguments choose
//! stores: `cargo test -p workos-auth-stores-tests -- sqlite postgres`. `measure` prints how many bytes a session takes.

#[path = "../it/support/authority.rs"]
mod authority;
mod common;
mod measure;
mod postgres;
mod redis;
mod redis_cluster;
mod redis_sentinel;
mod server;
#[path = "../it/support/sign_out.rs"]
mod sign_out;
mod sql;
mod sqlite;

use std::process::ExitCode;

use common::Outcome;

const STORES: [&str; 5] = ["sqlite", "postgres", "redis", "redis-cluster", "redis-sentinel"];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--nocapture").collect();
    let is_child = arguments.first().is_some_and(|argument| argument.starts_with("--"));
    if !is_child && std::env::var_os("WORKOS_STORES").is_none() {
        println!("NOT RUN: set WORKOS_STORES=1 where redis-server and postgresql are installed");
        return ExitCode::SUCCESS;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(run(&arguments)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("stores failed: {}", common::sources(&*error));
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &[&str]) -> Outcome {
    match arguments {
        ["--authenticate", base_url, address] => return common::authenticate(base_url, address).await,
        ["--sign-in", base_url, address] => return common::sign_in(base_url, address).await,
        ["--migrate", address] => return common::migrate(address).await,
        ["--over-tls", url] => return redis::over_tls(url).await,
        ["measure"] => return measure::run().await,
        _ => {}
    }
    if let Some(unknown) = arguments.iter().find(|name| !STORES.contains(name)) {
        return Err(format!("there is no store {unknown}: choose from {STORES:?}").into());
    }
    sql::documented()?;
    for store in STORES.iter().filter(|name| arguments.is_empty() || arguments.contains(name)) {
        let start = std::time::Instant::now();
        println!("\n{store}");
        match *store {
            "sqlite" => sqlite::run().await,
            "postgres" => postgres::run().await,
            "redis" => redis::run().await,
            "redis-cluster" => redis_cluster::run().await,
            _ => redis_sentinel::run().await,
        }
        .map_err(|error| format!("{store}: {}", common::sources(&*error)))?;
        println!("{store}: ok, {:.0?}", start.elapsed());
    }
    Ok(())
}
