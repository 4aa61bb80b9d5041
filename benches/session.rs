//! What a check of a session costs, beside the official Rust crate, the SDK for Node and the bare cryptography, in one run.

use std::hint::black_box;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use criterion::Criterion;
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::runtime::{Builder, Runtime};
use workos_auth::AccessToken;
use workos_auth_bench::{Outcome, PASSWORD, Setup, median_of};

fn main() -> Outcome {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let setup = runtime.block_on(Setup::new())?;
    println!("access token: {} bytes; cookie: {} bytes", setup.token.len(), setup.sealed.len());
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(800))
        .sample_size(50)
        .configure_from_args();
    let mut junk = Junk::default();
    for round in 0..ROUNDS {
        junk.shuffle(round);
        measure(&setup, &mut criterion, &runtime, round);
    }
    criterion.final_summary();
    table(node(&setup)?)
}

fn measure(setup: &Setup, criterion: &mut Criterion, runtime: &Runtime, round: u64) {
    let token = AccessToken::new(&*setup.token);
    let mut group = criterion.benchmark_group(format!("a_token_{round}"));
    group.bench_function("floor", |bencher| bencher.iter(|| setup.bare.verify(black_box(&setup.token))));
    group.bench_function("workos-auth", |bencher| {
        bencher.to_async(runtime).iter(|| async { setup.verifier.verify(black_box(&token)).await.unwrap() });
    });
    group.bench_function("jsonwebtoken", |bencher| bencher.iter(|| setup.bare.jsonwebtoken(black_box(&setup.token))));
    group.finish();

    let mut group = criterion.benchmark_group(format!("b_session_{round}"));
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

    let mut group = criterion.benchmark_group(format!("c_remembered_{round}"));
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

/// The time of a signature depends on where the allocator puts its numbers: on one machine, 13 or 17 µs. So everything is
/// measured in several rounds, side by side, and before each the allocator's free lists are shuffled.
const ROUNDS: u64 = 9;

#[derive(Default)]
struct Junk(Vec<Vec<u8>>);

impl Junk {
    fn shuffle(&mut self, seed: u64) {
        let mut dice = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(1);
        let mut roll = |sides: usize| {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(dice >> 33).unwrap_or_default() % sides
        };
        self.0.extend((0..5_000).map(|_| vec![0; 16 + roll(1_500)]));
        for _ in 0..2_500 {
            let index = roll(self.0.len());
            self.0.swap_remove(index);
        }
    }
}

/// The median of the rounds' medians, and what they are to each other: the median of the rounds' ratios, and their range.
fn table(node: f64) -> Outcome {
    let medians = |group: &str, name: &str| -> Outcome<Vec<f64>> {
        (0..ROUNDS).map(|round| median_of(&format!("{group}_{round}"), name)).collect()
    };
    let floor_a = medians("a_token", "floor")?;
    let ours_a = medians("a_token", "workos-auth")?;
    let jsonwebtoken = medians("a_token", "jsonwebtoken")?;
    let floor_b = medians("b_session", "floor")?;
    let ours_b = medians("b_session", "workos-auth")?;
    let official = medians("b_session", "workos")?;
    let floor_c = medians("c_remembered", "floor")?;
    let ours_c = medians("c_remembered", "workos-auth")?;
    let node = vec![node; ours_b.len()];
    println!("\n| what | median | ratio, and its range in {ROUNDS} rounds |\n| --- | ---: | --- |");
    let row =
        |what: &str, times: &[f64], ratio: String| println!("| {what} | {:.2} µs | {ratio} |", median(times) / 1e3);
    row("(a) RSA-2048 alone, parsed key", &floor_a, "floor".into());
    row("(a) `workos-auth`: verify, typed claims", &ours_a, ratio(&ours_a, &floor_a, "the floor"));
    row("(a) `jsonwebtoken` 11, six claims", &jsonwebtoken, ratio(&jsonwebtoken, &floor_a, "the floor"));
    row("(b) bare cryptography of a cookie and its token", &floor_b, "floor".into());
    row("(b) `workos-auth`: cookie, verify, typed claims, user", &ours_b, ratio(&ours_b, &floor_b, "the floor"));
    row("(b) `workos` 3.5.0 on its own cookie", &official, ratio(&official, &ours_b, "`workos-auth`"));
    row("(b) `@workos-inc/node` 11.0.0 on the same cookie", &node, ratio(&node, &ours_b, "`workos-auth`"));
    row("(c) SHA-256 of the token", &floor_c, "floor of a look-up".into());
    row("(c) `workos-auth`, remembering", &ours_c, "(b) again".into());
    row("(c) `workos` 3.5.0, from (b)", &official, ratio(&official, &ours_c, "`workos-auth`"));
    row("(c) `@workos-inc/node` 11.0.0, from (b)", &node, ratio(&node, &ours_c, "`workos-auth`"));

    println!("\n```text");
    let bar = |what: &str, times: &[f64]| {
        let time = median(times) / 1e3;
        println!("{what:<34} {} {time:.1} µs", "#".repeat((time * 2.0).round() as usize));
    };
    bar("RSA-2048 alone", &floor_a);
    bar("(a) workos-auth", &ours_a);
    bar("(a) jsonwebtoken", &jsonwebtoken);
    bar("bare cryptography of a session", &floor_b);
    bar("(b) workos-auth", &ours_b);
    bar("(b) workos 3.5.0", &official);
    bar("(c) workos-auth, remembering", &ours_c);
    println!("```");
    Ok(())
}

fn ratio(times: &[f64], base: &[f64], what: &str) -> String {
    let ratios: Vec<f64> = times.iter().zip(base).map(|(time, base)| time / base).collect();
    let (least, most) = ratios.iter().fold((f64::MAX, 0.0_f64), |(least, most), one| (least.min(*one), most.max(*one)));
    format!("{:.2}× {what} ({least:.2} to {most:.2})", median(&ratios))
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
