//! A request with several values of the session cookie: all of their sessions end, whatever fails, and what that costs is bounded.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use workos_auth::parking::Parking;
use workos_auth::secret::SessionHandle;
use workos_auth::testing::{Endpoint, Fault, TestUser};
use workos_auth::{CookiePassword, ExposeSecret, LoginHandlers, RedirectUri, SessionManager};

use crate::support::Outcome;
use crate::support::application::Application;
use crate::support::halfway::Halfway;
use crate::support::login::PASSWORD;

const USERS: [&str; 3] = ["ada@example.com", "bob@example.com", "carl@example.com"];

struct Site {
    app: Application,
    store: Arc<Halfway>,
    sessions: SessionManager<Arc<Halfway>>,
    handlers: LoginHandlers<SessionManager<Arc<Halfway>>>,
}

impl Site {
    /// The removals that fail: from this one on, so many.
    async fn start(fails: (usize, usize)) -> Outcome<Self> {
        let app = Application::of(USERS.map(|email| TestUser::new(email).password(PASSWORD))).await?;
        let store = Arc::new(Halfway { fails, ..Halfway::default() });
        let sessions = SessionManager::new(app.client.clone(), Arc::clone(&store));
        let parking = Parking::new(CookiePassword::generate()?);
        let redirect = RedirectUri::new("http://127.0.0.1:8080/callback")?;
        let handlers = LoginHandlers::new(app.client.clone(), sessions.clone(), parking, redirect);
        Ok(Self { app, store, sessions, handlers })
    }

    /// A sign-out with the cookies of these users, who are signed in.
    async fn sign_out_of(&self, users: &[&str]) -> Outcome<http::request::Parts> {
        let mut cookies = Vec::new();
        for user in users {
            let handle = self.sessions.sign_in(self.app.login(user).await?).await?;
            cookies.push(cookie(handle.expose_secret()));
        }
        sign_out(&cookies.join("; "))
    }

    fn revocations(&self) -> usize {
        self.app.authkit.requests_to(Endpoint::RevokeSession)
    }
}

fn cookie(value: &str) -> String {
    format!("workos-session={value}")
}

fn sign_out(cookies: &str) -> Outcome<http::request::Parts> {
    let request = http::Request::post("/logout").header("origin", "http://127.0.0.1:8080").header("cookie", cookies);
    Ok(request.body(())?.into_parts().0)
}

#[tokio::test]
async fn a_long_cookie_header_costs_a_few_reads_of_the_store() -> Outcome {
    let site = Site::start((0, 0)).await?;
    let mut values = Vec::new();
    for _ in 0..1_000 {
        values.push(cookie(SessionHandle::generate()?.expose_secret()));
    }
    let request = sign_out(&values.join("; "))?;
    assert_eq!(site.handlers.logout(&request).await?.status(), 303);
    assert_eq!(site.store.loads.swap(0, Ordering::SeqCst), 16);
    let login = site.app.login(USERS[0]).await?;
    let _ = site.handlers.sign_in(&request, login).await?;
    assert!(site.store.loads.load(Ordering::SeqCst) <= 17);
    Ok(())
}

#[tokio::test]
async fn a_sign_out_waits_for_workos_for_a_moment_only() -> Outcome {
    let site = Site::start((0, 0)).await?;
    let request = site.sign_out_of(&USERS).await?;
    site.app.authkit.inject(Endpoint::RevokeSession, Fault::Stall, usize::MAX);
    let began = Instant::now();
    let response = site.handlers.logout(&request).await?;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert!(response.headers()["location"].to_str()?.contains("session_id="));
    Ok(())
}

#[tokio::test]
async fn a_sign_out_whose_browser_hangs_up_ends_all_sessions() -> Outcome {
    let site = Site::start((0, 0)).await?;
    let request = site.sign_out_of(&USERS).await?;
    site.app.authkit.inject(Endpoint::RevokeSession, Fault::Slow(Duration::from_millis(500)), 1);
    let cut_off = tokio::time::timeout(Duration::from_millis(250), site.handlers.logout(&request)).await;
    assert!(cut_off.is_err());
    site.app.client.idle().await;
    assert_eq!(site.revocations(), 2, "and the browser was to end the third");
    Ok(())
}

#[tokio::test]
async fn a_store_that_fails_at_one_session_makes_nobody_forget_the_others() -> Outcome {
    let site = Site::start((1, 1)).await?;
    let request = site.sign_out_of(&USERS[..2]).await?;
    assert!(site.handlers.logout(&request).await.is_err());
    assert_eq!(site.revocations(), 1, "it has left the store");
    let response = site.handlers.logout(&request).await?;
    assert!(response.headers()["location"].to_str()?.contains("session_id="));
    Ok(())
}
