//! Sessions in a table of the application, without a `SessionManager`. The guide is `docs/own-sessions.md`.

use sqlx::SqlitePool;
use workos_auth::secret::SessionHandle;
use workos_auth::session::{NotActive, NotKept, SessionUpdate};
use workos_auth::{
    ActiveSession, AuthenticationResponse, Confidential, ConfidentialClient, SessionCookie, TokenVerifier,
};

pub type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

const TABLE: &str =
    "CREATE TABLE IF NOT EXISTS sessions (key TEXT PRIMARY KEY, version TEXT NOT NULL, sealed TEXT NOT NULL)";

#[derive(Clone)]
pub struct Sessions {
    pub client: ConfidentialClient,
    pub verifier: TokenVerifier,
    pub seal: SessionCookie,
    pub rows: SqlitePool,
}

impl Sessions {
    pub async fn new(client: ConfidentialClient, seal: SessionCookie, rows: SqlitePool) -> Result<Self> {
        sqlx::query(TABLE).execute(&rows).await?;
        Ok(Self { verifier: client.verifier(), client, seal, rows })
    }

    /// Keeps the session of a finished login. The handle goes into a cookie, its hash into the table.
    pub async fn sign_in(&self, response: AuthenticationResponse) -> Result<SessionHandle> {
        let (handle, session) = (SessionHandle::generate()?, self.client.session(response));
        let row = sqlx::query("INSERT INTO sessions (key, version, sealed) VALUES (?, ?, ?)").bind(handle.key());
        row.bind(session.version().to_string()).bind(self.seal.seal(&session)?).execute(&self.rows).await?;
        Ok(handle)
    }

    /// The session of a request; `None` when nobody is signed in. An error is an outage: answer 503.
    pub async fn authenticate(&self, handle: &SessionHandle) -> Result<Option<ActiveSession<Confidential>>> {
        for _ in 0..3 {
            let row = sqlx::query_scalar::<_, String>("SELECT sealed FROM sessions WHERE key = ?").bind(handle.key());
            let Some(sealed) = row.fetch_optional(&self.rows).await? else { return Ok(None) };
            let refresh = match self.seal.open(&self.client, &sealed)?.check(&self.verifier).await {
                Ok(active) => return Ok(Some(active)),
                Err(NotActive::Expired(expired)) => expired.refresh(),
                Err(NotActive::Invalid(rejected)) => rejected.recover()?.refresh(),
                Err(NotActive::Ended(_)) => return Ok(None),
                Err(NotActive::KeysUnavailable(rejected)) => return Err(rejected.into()),
            };
            let (sessions, key) = (self.clone(), handle.key());
            match refresh.keep(move |update| sessions.clone().write(key.clone(), update)).await {
                Ok(_) | Err(NotKept::Changed) => {} // read the row again
                Err(NotKept::Ended(_)) => return Ok(None),
                Err(NotKept::Unavailable(error)) => return Err(error.into()),
            }
        }
        Err("the session changes whenever it is read".into())
    }

    async fn write(self, key: String, update: SessionUpdate<Confidential>) -> Result<bool> {
        let query = match &update.session {
            Some(session) => sqlx::query("UPDATE sessions SET version = ?, sealed = ? WHERE key = ? AND version = ?")
                .bind(session.version().to_string())
                .bind(self.seal.seal(session)?),
            None => sqlx::query("DELETE FROM sessions WHERE key = ? AND version = ?"),
        };
        let done = query.bind(key).bind(update.replaces.to_string()).execute(&self.rows).await?;
        Ok(done.rows_affected() == 1)
    }

    /// Removes the session, and gives the address that ends it at WorkOS, where the browser goes next.
    pub async fn sign_out(&self, handle: &SessionHandle) -> Result<Option<String>> {
        let row =
            sqlx::query_scalar::<_, String>("DELETE FROM sessions WHERE key = ? RETURNING sealed").bind(handle.key());
        let Some(sealed) = row.fetch_optional(&self.rows).await? else { return Ok(None) };
        Ok(match self.seal.open(&self.client, &sealed)?.check(&self.verifier).await {
            Ok(active) => Some(active.sign_out(None).url.into()),
            Err(NotActive::Expired(expired)) => Some(expired.sign_out(None).url.into()),
            Err(_) => None,
        })
    }
}
