//! One client that exchanges refresh tokens again and again, for a profiler:
//!
//! ```text
//! cargo build --profile bench --manifest-path benches/Cargo.toml --example profile
//! perf record --call-graph dwarf benches/target/release/examples/profile OursReqwest 100000
//! valgrind --tool=dhat benches/target/release/examples/profile OursReqwest 2000
//! ```

use std::net::SocketAddr;
use std::time::Instant;

use workos_auth_bench::Outcome;
use workos_auth_bench::peers::{Peer, Pool};
use workos_auth_bench::server;

fn main() -> Outcome {
    let mut arguments = std::env::args().skip(1);
    let peer: Peer = arguments.next().ok_or("usage: profile PEER CALLS [ADDRESS]")?.parse()?;
    let calls: u64 = arguments.next().ok_or("how many calls?")?.parse()?;
    // Without an address the server is a thread of this process; or a server elsewhere.
    let address: SocketAddr = match arguments.next() {
        Some(address) => address.parse()?,
        None => server::start()?,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let pool = runtime.block_on(async { Pool::new(peer, address) })?;
    runtime.block_on(peer.run(&pool, 1_000.min(calls)))?;
    let start = Instant::now();
    runtime.block_on(peer.run(&pool, calls))?;
    println!("{peer}: {:.2} µs per call", start.elapsed().as_secs_f64() * 1e6 / calls as f64);
    Ok(())
}
