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

    /// Keeps the session of a finished login, in place of the one that the browser had. The handle goes into its cookie.
    pub async fn sign_in(&self, old: Option<&SessionHandle>, login: AuthenticationResponse) -> Result<SessionHandle> {
        if let Some(old) = old {
            sqlx::query("DELETE FROM sessions WHERE key = ?").bind(old.key()).execute(&self.rows).await?;
        }
        let (handle, session) = (SessionHandle::generate()?, self.client.session(login));
        let row = sqlx::query("INSERT INTO sessions (key, version, sealed) VALUES (?, ?, ?)").bind(handle.key());
        row.bind(session.version().to_string()).bind(self.seal.seal(&session)?).execute(&self.rows).await?;
        Ok(handle)
    }

    /// The session of a request; `None` when nobody is signed in. An error is an outage: answer 503.
    pub async fn authenticate(&self, handle: &SessionHandle) -> Result<Option<ActiveSession<Confidential>>> {
        for _ in 0..3 {
            let row = sqlx::query_scalar::<_, String>("SELECT sealed FROM sessions WHERE key = ?").bind(handle.key());
            let Some(sealed) = row.fetch_optional(&self.rows).await? else { return Ok(None) };
            let Ok(session) = self.seal.open(&self.client, &sealed) else {
                // Sealed with a password that isn't in use, or damaged: nobody can open it any more.
                let query = sqlx::query("DELETE FROM sessions WHERE key = ? AND sealed = ?");
                query.bind(handle.key()).bind(sealed).execute(&self.rows).await?;
                return Ok(None);
            };
            let (sessions, key) = (self.clone(), handle.key());
            let write = move |update| sessions.clone().write(key.clone(), update);
            match session.check_and_keep(&self.verifier, write).await {
                Ok(active) => return Ok(Some(active)),
                Err(NotKept::Changed) => {} // read the row again
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

    /// Removes the session, and gives the address that ends it at WorkOS, where the browser goes next. `None`: the row names no session
    /// for certain. The user is signed out here, and WorkOS may sign the user in again without a question.
    pub async fn sign_out(&self, handle: &SessionHandle) -> Result<Option<String>> {
        let row =
            sqlx::query_scalar::<_, String>("DELETE FROM sessions WHERE key = ? RETURNING sealed").bind(handle.key());
        let Some(sealed) = row.fetch_optional(&self.rows).await? else { return Ok(None) };
        let Ok(session) = self.seal.open(&self.client, &sealed) else { return Ok(None) };
        Ok(match session.check(&self.verifier).await {
            Ok(active) => Some(active.sign_out(None).url.to_string()),
            Err(NotActive::Expired(expired)) => Some(expired.sign_out(None).url.to_string()),
            // It is over already, or its token can't be verified, now or ever.
            Err(NotActive::Ended(_) | NotActive::Invalid(_) | NotActive::KeysUnavailable(_)) => None,
        })
    }
}
