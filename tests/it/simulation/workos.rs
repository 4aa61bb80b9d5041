//! AuthKit as a transport: single-use tokens, replays for 30 seconds, and a network that loses things.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::time::sleep;
use workos_auth::transport::{Transport, TransportError};

use super::schedule::{Fault, Place, Point};
use super::world::{Exchange, Life, World};

/// What a process reaches WorkOS by.
pub(crate) struct Network {
    pub(crate) world: Arc<World>,
    pub(crate) life: Arc<Life>,
}

type Reply = Result<Response<Bytes>, TransportError>;

fn broken() -> io::Error {
    io::ErrorKind::ConnectionReset.into()
}

fn status(code: u16, body: impl Into<Bytes>) -> Response<Bytes> {
    let mut response = Response::new(body.into());
    *response.status_mut() = http::StatusCode::from_u16(code).unwrap();
    response
}

impl Transport for Network {
    async fn send(&self, request: Request<Bytes>) -> Reply {
        self.life.live(self.attempt(request)).await
    }
}

impl Network {
    async fn attempt(&self, request: Request<Bytes>) -> Reply {
        let keys = request.uri().path().starts_with("/sso/jwks/");
        let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
        let token = body["refresh_token"].as_str().map(str::to_owned);
        let place = if keys { Place::Keys } else { Place::WorkOs };
        let mut luck = self.world.luck(&self.life, token.as_deref().unwrap_or("keys"));
        let (there, back) = (luck.between(1, 40), luck.between(1, 40));
        let fault = self.world.fault(place, &self.life, token.as_deref(), &mut luck);
        self.world.log(format!(
            "life {} sends {}{}",
            self.life.number,
            token.as_deref().unwrap_or("a request for the keys"),
            fault.map_or_else(String::new, |fault| format!(": {fault:?}")),
        ));
        let _asking = token.as_deref().map(|token| self.world.asks(&self.life, token));
        sleep(there).await;
        match fault {
            Some(Fault::NotSent) => return Err(TransportError::not_sent(broken())),
            Some(Fault::LostBefore) => return Err(TransportError::interrupted(broken())),
            Some(Fault::Stalled) => return std::future::pending().await,
            _ => {}
        }
        // What has arrived is done, whatever becomes of the one who asked.
        let (sender, reply) = oneshot::channel();
        let (world, life) = (Arc::clone(&self.world), Arc::clone(&self.life));
        tokio::spawn(async move {
            let reply = serve(&world, &life, token.as_deref(), &body, fault, back).await;
            let complete = reply.as_ref().is_ok_and(|reply| reply.status().is_success());
            if sender.send(reply).is_ok()
                && !life.is_over()
                && complete
                && let Some(token) = token
            {
                world.delivered(&life, &token);
                world.at(Point::Received, &life);
            }
        });
        reply.await.unwrap_or_else(|_| Err(TransportError::interrupted(broken())))
    }
}

async fn serve(
    world: &World,
    life: &Life,
    token: Option<&str>,
    body: &Value,
    fault: Option<Fault>,
    back: Duration,
) -> Reply {
    match fault {
        Some(Fault::SlowBefore(milliseconds)) => sleep(Duration::from_millis(milliseconds)).await,
        Some(Fault::Status(code)) => return Ok(status(code, "{}")),
        Some(Fault::Throttled(seconds)) => {
            let mut response = status(429, r#"{"error":"too_many_requests"}"#);
            if let Some(seconds) = seconds {
                response.headers_mut().insert("retry-after", seconds.into());
            }
            return Ok(response);
        }
        _ => {}
    }
    let response = match token {
        None => status(200, world.jwks()),
        Some(token) => {
            let organization = body["organization_id"].as_str().map(str::to_owned);
            match world.exchange(life, token, organization) {
                Exchange::Pair(body) => {
                    world.at(Point::Exchanged, life);
                    status(200, body)
                }
                Exchange::Refused => status(400, r#"{"error":"invalid_grant","error_description":"It is over."}"#),
            }
        }
    };
    sleep(back).await;
    match fault {
        Some(Fault::SlowAfter(milliseconds)) => sleep(Duration::from_millis(milliseconds)).await,
        Some(Fault::LostAfter) => return Err(TransportError::interrupted(broken())),
        Some(Fault::StatusAfter(code)) => return Ok(status(code, "<html>")),
        _ => {}
    }
    Ok(response)
}
