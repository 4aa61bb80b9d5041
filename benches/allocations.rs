//! How often each asks the allocator, and for how much. A program of its own, because counting takes time.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use allocation_counter::measure;
use tokio::runtime::Builder;
use workos_auth::AccessToken;
use workos_auth_bench::Outcome;
use workos_auth_bench::harness::Effort;
use workos_auth_bench::peers::{Peer, Pool};
use workos_auth_bench::report::grouped;
use workos_auth_bench::scale::{Filled, sizes};
use workos_auth_bench::server;
use workos_auth_bench::subject::{PASSWORD, Setup};
use workos_auth_bench::url::Beginnings;
use workos_auth_bench::users::Issuer;

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let quick = arguments.iter().any(|argument| argument == "--quick");
    let effort = if quick { Effort::QUICK } else { Effort::FULL };
    let groups: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with("--")).collect();
    let runs = |group: &str| groups.is_empty() || groups.iter().any(|wanted| *wanted == group);
    if runs("authenticate") {
        exchanges()?;
    }
    if runs("url") {
        beginnings()?;
    }
    if runs("session") {
        checks()?;
    }
    if runs("scale") {
        sessions(effort)?;
    }
    Ok(())
}

fn table(heading: &str) {
    println!("\n## {heading}\n\n| what | allocations | bytes |\n| --- | ---: | ---: |");
}

fn count(name: &str, run: &dyn Fn()) {
    run();
    let info = measure(run);
    println!("| {name} | {} | {} |", info.count_total, info.bytes_total);
}

/// Many exchanges at the same time on this thread, and the mean of one; the server has a thread of its own.
fn exchanges() -> Outcome {
    const CALLS: u64 = 2_000;
    let address = server::start()?;
    table("Allocations of exchanging a token");
    for peer in Peer::ALL {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let pool = runtime.block_on(async { Pool::new(*peer, address) })?;
        // Opens the connections.
        runtime.block_on(peer.run(&pool, CALLS))?;
        let mut outcome = Ok(());
        let info = measure(|| outcome = runtime.block_on(peer.run(&pool, CALLS)));
        outcome?;
        let mean = |total: u64| total as f64 / CALLS as f64;
        println!("| {} | {:.1} | {:.0} |", peer.name(), mean(info.count_total), mean(info.bytes_total));
    }
    Ok(())
}

fn beginnings() -> Outcome {
    let beginnings = Beginnings::new()?;
    table("Allocations of beginning a login");
    count("randomness, SHA-256, base64, text", &|| drop(beginnings.floor()));
    count("`workos-auth`", &|| drop(beginnings.ours()));
    count("`oauth2` 5", &|| drop(beginnings.oauth2()));
    count("`workos` 3.5.0", &|| drop(beginnings.workos()));
    Ok(())
}

fn checks() -> Outcome {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let setup = runtime.block_on(Setup::new())?;
    let token = AccessToken::new(&*setup.token);
    table("Allocations of checking a session");
    count("(a) `workos-auth`", &|| drop(ready(setup.verifier.verify(&token))));
    count("(b) `workos-auth`", &|| drop(ready(setup.check(&setup.verifier))));
    count("(c) `workos-auth`", &|| drop(ready(setup.check(&setup.remembering))));
    count("(b) `workos` 3.5.0", &|| {
        drop(ready(setup.official.session(&*setup.official_sealed, PASSWORD).authenticate()));
    });
    Ok(())
}

/// What a memory store holds for each session, beside the sealed value.
fn sessions(effort: Effort) -> Outcome {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let issuer = Issuer::new()?;
    let client = issuer.client()?;
    println!(
        "\n## Bytes of a session in memory\n\n| sessions | bytes of each | of the sealed value |\n| ---: | ---: | ---: |"
    );
    for size in sizes(effort).into_iter().skip(1) {
        let mut filled = None;
        let info = measure(|| filled = Some(runtime.block_on(Filled::new(&issuer, &client, size))));
        let filled = filled.ok_or("not filled")??;
        let each = info.bytes_current as f64 / size as f64;
        println!("| {} | {each:.0} | {:.2}× of {} bytes |", grouped(size), each / filled.sealed as f64, filled.sealed);
    }
    Ok(())
}

/// The value of a future that waits for nothing.
fn ready<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits"),
    }
}
