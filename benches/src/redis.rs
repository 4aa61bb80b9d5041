//! A `redis-server` of our own.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use redis::Client;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use tokio::runtime::Runtime;

use crate::Outcome;

pub struct Redis {
    child: Child,
    pub connection: ConnectionManager,
}

impl Redis {
    /// `None`, with a line that says so, where there is no `redis-server`.
    pub fn start(runtime: &Runtime) -> Outcome<Option<Self>> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        let Ok(mut child) = command.stdout(Stdio::null()).spawn() else {
            eprintln!("skipped: Redis; there is no `redis-server`");
            return Ok(None);
        };
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if let Some(status) = child.try_wait()? {
                return Err(format!("`redis-server` ended: {status}").into());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let client = Client::open(format!("redis://127.0.0.1:{port}/"))?;
        let configuration = ConnectionManagerConfig::new();
        let connection = runtime.block_on(ConnectionManager::new_with_config(client, configuration))?;
        Ok(Some(Self { child, connection }))
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
