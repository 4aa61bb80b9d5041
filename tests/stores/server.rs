//! Servers that a test starts, kills and starts again.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use crate::common::Outcome;

const PATIENCE: Duration = Duration::from_secs(30);

/// What a store keeps its sessions in.
pub(crate) trait Server {
    /// What [`open`](crate::common::open) takes.
    fn address(&self) -> String;
    /// Ends the server at once, as a power cut does.
    fn kill(&mut self) -> Outcome;
    fn restart(&mut self) -> Outcome;
}

/// A folder that is gone with its owner.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    /// Below `/tmp`, because the path of a socket has at most 107 bytes.
    pub(crate) fn new(name: &str) -> Outcome<Self> {
        let folder = std::env::temp_dir().join(format!("workos-auth-{name}-{}", std::process::id()));
        drop(fs::remove_dir_all(&folder));
        fs::create_dir_all(&folder)?;
        Ok(Self(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// A process that is killed with its owner.
pub(crate) struct Process(pub(crate) Child);

impl Process {
    pub(crate) fn spawn(command: &mut Command) -> Outcome<Self> {
        let child = command.spawn().map_err(|error| format!("{}: {error}", command.get_program().display()))?;
        Ok(Self(child))
    }

    pub(crate) fn kill(&mut self) -> Outcome {
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.kill());
    }
}

pub(crate) fn free_port() -> Outcome<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Waits until it is true.
pub(crate) fn eventually(what: &str, is_true: impl Fn() -> bool) -> Outcome {
    let until = Instant::now() + PATIENCE;
    while !is_true() {
        if Instant::now() > until {
            return Err(format!("{what}: not within {PATIENCE:?}").into());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

pub(crate) fn listens(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

/// What a command prints; an error when it fails.
pub(crate) fn output(command: &mut Command) -> Outcome<String> {
    let name = command.get_program().display().to_string();
    let output = command.output().map_err(|error| format!("{name}: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8(output.stdout)?)
    } else {
        Err(format!("{name}: {}", String::from_utf8_lossy(&output.stderr)).into())
    }
}
