//! What a check of a session costs, beside the official Rust crate, the SDK for Node and the bare cryptography, in one run.

use std::hint::black_box;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use criterion::Criterion;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::runtime::{Builder, Runtime};
use workos_auth::AccessToken;
use workos_auth_bench::{Outcome, PASSWORD, Setup};

fn main() -> Outcome {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let setup = runtime.block_on(Setup::new())?;
    println!("access token: {} bytes; cookie: {} bytes", setup.token.len(), setup.sealed.len());
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(4))
        .configure_from_args();
    measure(&setup, &mut criterion, &runtime);
    criterion.final_summary();
    table(node(&setup)?)
}

fn measure(setup: &Setup, criterion: &mut Criterion, runtime: &Runtime) {
    let token = AccessToken::new(&*setup.token);
    let mut group = criterion.benchmark_group("a_token");
    group.bench_function("floor", |bencher| bencher.iter(|| setup.bare.verify(black_box(&setup.token))));
    group.bench_function("workos-auth", |bencher| {
        bencher
            .to_async(runtime)
            .iter(|| async { setup.verifier.verify(black_box(&token)).await.unwrap().active().unwrap() });
    });
    group.bench_function("jsonwebtoken", |bencher| bencher.iter(|| setup.bare.jsonwebtoken(black_box(&setup.token))));
    group.finish();

    let mut group = criterion.benchmark_group("b_session");
    group.bench_function("floor", |bencher| {
        bencher.iter(|| (setup.bare.open(), setup.bare.verify(black_box(&setup.token))));
    });
    group.bench_function("workos-auth", |bencher| bencher.to_async(runtime).iter(|| setup.check(&setup.verifier)));
    group.bench_function("workos", |bencher| {
        bencher.to_async(runtime).iter(|| async {
            setup.official.session(black_box(&*setup.official_sealed), PASSWORD).authenticate().await
        });
    });
    group.finish();

    let mut group = criterion.benchmark_group("c_remembered");
    group.bench_function("floor", |bencher| bencher.iter(|| Sha256::digest(black_box(&setup.token))));
    group.bench_function("workos-auth", |bencher| bencher.to_async(runtime).iter(|| setup.check(&setup.remembering)));
    group.finish();
}

/// The SDK for Node on our cookie: medians of batches, in nanoseconds.
fn node(setup: &Setup) -> Outcome<f64> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/node.mjs");
    let mut child = Command::new("node").arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let command = json!({
        "sealed": setup.sealed, "password": PASSWORD, "baseUrl": setup.authkit.base_url(),
        "clientId": setup.authkit.client_id(), "apiKey": setup.authkit.api_key(),
    });
    writeln!(child.stdin.take().ok_or("no way in")?, "{command}")?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().ok_or("no way out")?).read_line(&mut line)?;
    child.wait()?;
    Ok(line.trim().parse()?)
}

/// Medians of this run, and what they are to each other.
fn table(node: f64) -> Outcome {
    let root = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target"), Into::into);
    let median = |id: &str| -> Outcome<f64> {
        let path = root.join("criterion").join(id).join("new/estimates.json");
        let estimates: Value = serde_json::from_slice(&std::fs::read(path)?)?;
        estimates["median"]["point_estimate"].as_f64().ok_or_else(|| "no median".into())
    };
    let (floor_a, ours_a) = (median("a_token/floor")?, median("a_token/workos-auth")?);
    let jsonwebtoken = median("a_token/jsonwebtoken")?;
    let (floor_b, ours_b) = (median("b_session/floor")?, median("b_session/workos-auth")?);
    let official = median("b_session/workos")?;
    let (floor_c, ours_c) = (median("c_remembered/floor")?, median("c_remembered/workos-auth")?);
    println!("\n| what | median | ratio |\n| --- | ---: | --- |");
    let row = |what: &str, time: f64, ratio: String| println!("| {what} | {:.2} µs | {ratio} |", time / 1000.0);
    row("(a) RSA-2048 alone, parsed key", floor_a, "floor".into());
    row("(a) `workos-auth`: verify, typed claims", ours_a, format!("{:.2}× the floor", ours_a / floor_a));
    row("(a) `jsonwebtoken` 11, six claims", jsonwebtoken, format!("{:.2}× the floor", jsonwebtoken / floor_a));
    row("(b) bare cryptography of a cookie and its token", floor_b, "floor".into());
    row("(b) `workos-auth`: cookie, verify, typed claims, user", ours_b, format!("{:.2}× the floor", ours_b / floor_b));
    row("(b) `workos` 3.5.0 on its own cookie", official, format!("{:.2}× `workos-auth`", official / ours_b));
    row("(b) `@workos-inc/node` 11.0.0 on the same cookie", node, format!("{:.1}× `workos-auth`", node / ours_b));
    row("(c) SHA-256 of the token", floor_c, "floor of a look-up".into());
    let faster = format!("`workos` 3.5.0 takes {:.2}×, Node {:.1}×", official / ours_c, node / ours_c);
    row("(c) `workos-auth`, remembering", ours_c, faster);
    Ok(())
}
