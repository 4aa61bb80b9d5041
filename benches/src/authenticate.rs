//! What an exchange with WorkOS costs the client: its own processor time, with a server on another core.

use std::env::current_exe;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::Outcome;
use crate::harness::{Contestant, Effort, rounds};
use crate::peers::{Peer, Pool};
use crate::report::{Bar, Report, Row};
use crate::server::{ANSWER, serve};

pub const SERVE: &str = "serve";
pub const CLIENT: &str = "client";

pub fn run(effort: Effort, report: &mut Report) -> Outcome {
    let server = Server::start()?;
    let contestants = Peer::ALL.iter().map(|peer| {
        let address = server.address;
        Contestant::new(peer.name(), move || measure(*peer, address, effort.calls))
    });
    let series = rounds(effort, contestants.collect())?;
    let of = |wanted: Peer| {
        Peer::ALL
            .iter()
            .zip(&series)
            .find_map(|(peer, series)| (*peer == wanted).then_some(series))
            .ok_or("no such peer")
    };
    let (floor, hyper, reqwest, ours) =
        (of(Peer::Socket)?, of(Peer::HyperTyped)?, of(Peer::ReqwestTyped)?, of(Peer::OursReqwest)?);
    report.heading("Exchanging a token");
    report.text(&format!(
        "64 requests in flight, answers of {} bytes with their headers, processor time of the client per exchange.",
        ANSWER.len()
    ));
    let rows: Vec<Row> = Peer::ALL
        .iter()
        .zip(&series)
        .map(|(peer, series)| match peer {
            Peer::Socket => Row::floor(series),
            Peer::OursReqwest => Row::over(series, reqwest, "`reqwest`, typed"),
            Peer::OursHyper => Row::over(series, hyper, "`hyper-util`, typed"),
            Peer::Workos | Peer::OAuth2 => Row::over(series, ours, "`workos-auth` over `reqwest`"),
            _ => Row::over(series, floor, "the floor"),
        })
        .collect();
    report.table(&rows);
    // The comparison across the adapters.
    report.text(&format!(
        "\n`workos` 3.5.0 takes {} of `workos-auth` over `hyper`.",
        of(Peer::Workos)?.ratio_to(of(Peer::OursHyper)?)
    ));
    let bars: Vec<Bar> = Peer::ALL
        .iter()
        .zip(&series)
        .map(|(peer, series)| {
            let label = peer.name().replace('`', "");
            match peer {
                Peer::Socket => Bar::floor(&label, series),
                peer if peer.is_ours() => Bar::ours(&label, series),
                _ => Bar::peer(&label, series),
            }
        })
        .collect();
    report.bars("authenticate", "Exchanging a token: processor time of the client", &bars)
}

/// This program again, on one core.
fn again(core: &str, arguments: &[&str]) -> Outcome<Command> {
    let program = current_exe()?;
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", core]).arg(program).args(arguments).stdout(Stdio::piped());
    Ok(command)
}

struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    fn start() -> Outcome<Self> {
        let mut child = again("1", &[SERVE])?.spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("no way out")?).read_line(&mut line)?;
        Ok(Self { address: line.trim().parse()?, child })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The processor time of one exchange, in nanoseconds, from a process that does nothing else.
fn measure(peer: Peer, address: SocketAddr, calls: u64) -> Outcome<f64> {
    let arguments = [CLIENT, &peer.to_string(), &address.to_string(), &calls.to_string()];
    let output = again("0", &arguments)?.stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(format!("{peer} failed").into());
    }
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}

/// The process of the server.
pub fn serve_here() -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve(|address| {
        println!("{address}");
        Ok(())
    }))
}

/// The process of one client: prints its processor time per exchange in nanoseconds.
pub fn client_here(mut arguments: impl Iterator<Item = String>) -> Outcome {
    let mut next = || arguments.next().ok_or("usage: client PEER ADDRESS CALLS");
    let (peer, address, calls): (Peer, SocketAddr, u64) = (next()?.parse()?, next()?.parse()?, next()?.parse()?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let pool = runtime.block_on(async { Pool::new(peer, address) })?;
    // Opens the connections.
    runtime.block_on(peer.run(&pool, calls / 10))?;
    let before = processor_time()?;
    runtime.block_on(peer.run(&pool, calls))?;
    println!("{}", (processor_time()? - before).as_secs_f64() * 1e9 / calls as f64);
    Ok(())
}

fn processor_time() -> Outcome<Duration> {
    Ok(clock_gettime(ClockId::ProcessCPUTime).try_into()?)
}
