//! What a check of a session costs: every request of a server pays it.

use std::hint::black_box;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::runtime::Runtime;
use workos_auth::AccessToken;

use crate::Outcome;
use crate::harness::{Contestant, Effort, Series, rounds};
use crate::report::{Bar, Report, Row};
use crate::subject::{PASSWORD, Setup};

pub fn run(runtime: &Runtime, effort: Effort, report: &mut Report) -> Outcome {
    let setup = runtime.block_on(Setup::new())?;
    let token = AccessToken::new(&*setup.token);
    let mut node = Node::start(&setup)?;
    let mut contestants = vec![
        Contestant::calls("(a) RSA-2048 alone, parsed key", effort, || setup.bare.verify(black_box(&setup.token))),
        Contestant::awaits("(a) `workos-auth`: verify, typed claims", effort, runtime, || async {
            setup.verifier.verify(black_box(&token)).await.unwrap()
        }),
        Contestant::calls("(a) `jsonwebtoken` 11, six claims", effort, || {
            setup.bare.jsonwebtoken(black_box(&setup.token))
        }),
        Contestant::calls("(b) bare cryptography of a cookie and its token", effort, || {
            setup.bare.verify(black_box(&setup.token));
            setup.bare.open()
        }),
        Contestant::awaits("(b) `workos-auth`: cookie, verify, typed claims, user", effort, runtime, || {
            setup.check(&setup.verifier)
        }),
        Contestant::awaits("(b) `workos` 3.5.0 on its own cookie", effort, runtime, || {
            let session = setup.official.session(black_box(&*setup.official_sealed), PASSWORD);
            async move { assert!(session.authenticate().await.authenticated) }
        }),
        Contestant::calls("(c) SHA-256 of the token", effort, || Sha256::digest(black_box(&setup.token))),
        Contestant::awaits("(c) `workos-auth`, remembering", effort, runtime, || setup.check(&setup.remembering)),
    ];
    if let Some(node) = &mut node {
        contestants.push(Contestant::new("(b) `@workos-inc/node` 11.0.0 on the same cookie", || node.measure()));
    }
    let series = rounds(effort, contestants)?;
    let [a_floor, a, jwt, b_floor, b, official, c_floor, c] = &series[..8] else { return Err("eight series".into()) };
    let node = series.get(8);

    report.heading("Checking a session");
    report.text(&format!("Access token: {} bytes; cookie: {} bytes.", setup.token.len(), setup.sealed.len()));
    let mut rows = vec![
        Row::floor(a_floor),
        Row::over(a, a_floor, "the floor"),
        Row::over(jwt, a_floor, "the floor"),
        Row::floor(b_floor),
        Row::over(b, b_floor, "the floor"),
        Row::over(official, b, "`workos-auth`"),
    ];
    rows.extend(node.map(|node| Row::over(node, b, "`workos-auth`")));
    rows.push(Row::floor(c_floor));
    rows.push(Row::over(c, c_floor, "the floor"));
    let again = |series: &Series, name: &str| Series { name: name.to_owned(), values: series.values.clone() };
    let (official_c, node_c) = (
        again(official, "(c) `workos` 3.5.0, from (b)"),
        node.map(|node| again(node, "(c) `@workos-inc/node` 11.0.0, from (b)")),
    );
    rows.push(Row::over(&official_c, c, "`workos-auth`"));
    rows.extend(node_c.as_ref().map(|node| Row::over(node, c, "`workos-auth`")));
    report.table(&rows);
    report.bars(
        "session",
        "Checking a session: time of one check",
        &[
            Bar::floor("(a) RSA-2048 alone", a_floor),
            Bar::ours("(a) workos-auth", a),
            Bar::peer("(a) jsonwebtoken 11", jwt),
            Bar::floor("(b) bare cryptography", b_floor),
            Bar::ours("(b) workos-auth", b),
            Bar::peer("(b) workos 3.5.0", official),
            Bar::floor("(c) SHA-256 of the token", c_floor),
            Bar::ours("(c) workos-auth, remembering", c),
        ],
    )
}

/// The SDK for Node, in a process of its own, on our cookie.
struct Node {
    child: Child,
    into: ChildStdin,
    out: BufReader<ChildStdout>,
}

impl Node {
    /// `None`, with a line that says so, where it isn't installed.
    fn start(setup: &Setup) -> Outcome<Option<Self>> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        if !here.join("../tests/interop/node_modules/@workos-inc/node").exists() {
            eprintln!(
                "skipped: the SDK for Node; `npm ci --prefix tests/interop --omit=optional --ignore-scripts` first"
            );
            return Ok(None);
        }
        let mut command = Command::new("node");
        command.arg(here.join("node.mjs")).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let mut into = child.stdin.take().ok_or("no way in")?;
        let out = BufReader::new(child.stdout.take().ok_or("no way out")?);
        let subject = json!({
            "sealed": setup.sealed, "password": PASSWORD, "baseUrl": setup.authkit.base_url(),
            "clientId": setup.authkit.client_id(), "apiKey": setup.authkit.api_key(),
        });
        writeln!(into, "{subject}")?;
        Ok(Some(Self { child, into, out }))
    }

    /// One line in, one number out.
    fn measure(&mut self) -> Outcome<f64> {
        writeln!(self.into, "measure")?;
        let mut line = String::new();
        self.out.read_line(&mut line)?;
        Ok(line.trim().parse()?)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
