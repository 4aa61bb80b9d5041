//! The login handlers with axum, as behind https, with requests that are written byte by byte. The example with axum has tests of its
//! own.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{AppendHeaders, IntoResponse, Response};
use axum::routing::{any, get};
use reqwest::header::{HeaderMap, LOCATION};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use workos_auth::parking::Parking;
use workos_auth::session::{CookieSessions, MemorySessionStore};
use workos_auth::testing::{AuthKit, Browser, Endpoint, Fault, ManualClock, TestUser};
use workos_auth::typestate::SessionLayer;
use workos_auth::{ConfidentialClient, CookiePassword, LoginHandlers, RedirectUri, SessionCookie, SessionManager};

use crate::support::Outcome;
use crate::support::application::AUTHENTICATE;
use crate::support::clients::{NOWHERE, confidential};
use crate::support::pages::{Jar, Page};
use crate::support::session::split;

/// The handlers as behind a proxy that ends TLS: requests are bytes on a socket, and cookies those of https.
struct Site {
    authkit: AuthKit,
    clock: ManualClock,
    address: SocketAddr,
    task: JoinHandle<std::io::Result<()>>,
}

const HTTPS: &str = "https://app.example.com";
const NOBODY: &str = "nobody";
/// Longer than any answer that clears a cookie.
const LATE: Duration = Duration::from_millis(400);

type Shared<L> = Arc<LoginHandlers<L>>;

fn answered(answer: Result<http::Response<String>, workos_auth::Error>) -> Response {
    match answer {
        Ok(response) => response.into_response(),
        Err(error) => (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    }
}

async fn page<L: SessionLayer>(handlers: State<Shared<L>>, request: Parts) -> Response {
    handlers.authenticate(&request).await.respond(|state| {
        let name = state.active().map_or_else(|_| NOBODY.to_owned(), |session| session.user().email.clone());
        name.into_response()
    })
}

async fn switch<L: SessionLayer>(handlers: State<Shared<L>>, request: Parts) -> Response {
    handlers.switch_organization(&request, "org_two".parse().unwrap()).await.respond(|outcome| match outcome {
        Ok(session) => session.organization_id().unwrap().to_string().into_response(),
        Err(not_switched) => not_switched.into_response(),
    })
}

async fn session<L: SessionLayer>(handlers: State<Shared<L>>, request: Parts) -> String {
    // Its new cookie is lost.
    let (state, _) = split(handlers.authenticate(&request).await);
    state.active().unwrap().token().session_id().to_string()
}

async fn organization<L: SessionLayer>(handlers: State<Shared<L>>, request: Parts) -> String {
    // Its new cookie is lost.
    let (state, _) = split(handlers.authenticate(&request).await);
    state.active().unwrap().organization_id().map(ToString::to_string).unwrap_or_default()
}

async fn similar() -> AppendHeaders<[(&'static str, &'static str); 2]> {
    AppendHeaders([
        ("set-cookie", "__Host-wos-session2=1; Path=/"),
        ("set-cookie", "__host-wos-session=__Host-wos-session=1; Path=/"),
    ])
}

/// What everybody writes first: each request's session is asked for, whatever its handler does.
async fn around<L: SessionLayer>(handlers: State<Shared<L>>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let found = handlers.authenticate(&parts).await;
    found.respond_async(|_| next.run(Request::from_parts(parts, body))).await
}

impl Site {
    async fn start<L: SessionLayer>(sessions: impl FnOnce(ConfidentialClient) -> Outcome<L>) -> Outcome<Self> {
        let ada = TestUser::new("ada@example.com").organization("org_one").organization("org_two");
        let callback = format!("{HTTPS}/callback");
        let clock = ManualClock::new(std::time::SystemTime::now());
        let authkit = AuthKit::builder()
            .clock(clock.clone())
            .user(ada)
            .user(TestUser::new("mallory@example.com"))
            .redirect_uri(&callback)
            .start()
            .await?;
        let client = authkit.confidential_client();
        let parking = Parking::new(CookiePassword::generate()?);
        let sessions = sessions(client.clone())?;
        let handlers = LoginHandlers::new(client, sessions, parking, RedirectUri::new(callback)?);
        let handlers = Arc::new(handlers.origin("https://named.example.com")?);
        let login =
            |handlers: State<Shared<L>>, request: Parts| async move { answered(handlers.begin_login(&request)) };
        let callback = |handlers: State<Shared<L>>, request: Parts| async move {
            answered(handlers.finish_login(&request).await.map(|login| login.response))
        };
        let logout = |handlers: State<Shared<L>>, request: Parts| async move { handlers.logout(&request).await };
        let routes = Router::new()
            .route("/login", get(login))
            .route("/callback", get(callback))
            .route("/account", get(page::<L>))
            .route("/switch", any(switch::<L>))
            .route("/logout", any(logout))
            .route("/session", get(session::<L>))
            .route("/organization", get(organization::<L>))
            .route("/slow", get(async || tokio::time::sleep(LATE).await))
            .route(
                "/own",
                get(async || [("cache-control", "private, no-store, no-transform"), ("vary", "Accept, cookie")]),
            )
            .route("/shared", get(async || [("cache-control", "public, max-age=60"), ("vary", "Accept")]))
            .route("/similar", get(similar));
        let wrapped = routes.clone().layer(from_fn_with_state(Arc::clone(&handlers), around::<L>));
        let app = Router::new().merge(routes).nest("/wrapped", wrapped).with_state(handlers);
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(axum::serve(listener, app).into_future());
        Ok(Self { authkit, clock, address, task })
    }

    async fn in_a_store() -> Outcome<Self> {
        Self::start(|client| Ok(SessionManager::new(client, MemorySessionStore::new()))).await
    }

    async fn in_cookies() -> Outcome<Self> {
        Self::start(|client| Ok(CookieSessions::new(client, SessionCookie::new(CookiePassword::generate()?)?))).await
    }

    /// Sends these very bytes.
    async fn send(&self, method: &str, target: &str, headers: &[(&str, &[u8])]) -> Outcome<Page> {
        let mut stream = TcpStream::connect(self.address).await?;
        let mut bytes =
            format!("{method} {target} HTTP/1.1\r\nHost: app.example.com\r\nConnection: close\r\n").into_bytes();
        for (name, value) in headers {
            bytes.extend_from_slice(&[name.as_bytes(), b": ", value, b"\r\n"].concat());
        }
        stream.write_all(&[&bytes[..], b"\r\n"].concat()).await?;
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply).await?;
        let reply = String::from_utf8(reply)?;
        let (head, text) = reply.split_once("\r\n\r\n").ok_or("no head")?;
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).ok_or("no status")?.parse()?;
        let mut headers = HeaderMap::new();
        for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
            headers.append(name.parse::<reqwest::header::HeaderName>()?, value.parse()?);
        }
        Ok(Page { status, headers, text: text.to_owned() })
    }

    async fn get(&self, jar: &mut Jar, target: &str) -> Outcome<Page> {
        let page = self.send("GET", target, &[("Cookie", &jar.line())]).await?;
        jar.take(&page);
        Ok(page)
    }

    async fn post(&self, jar: &mut Jar, target: &str) -> Outcome<Page> {
        let page = self.send("POST", target, &[("Cookie", &jar.line()), ("Content-Length", b"0")]).await?;
        jar.take(&page);
        Ok(page)
    }

    /// Begins a login, and signs in at AuthKit; gives the callback's target.
    async fn callback(&self, jar: &mut Jar, login: &str, email: &str) -> Outcome<String> {
        let begun = self.get(jar, login).await?;
        let callback = Browser::new()?.sign_in(begun.location(), email).await?;
        Ok(callback.strip_prefix(HTTPS).ok_or("elsewhere")?.to_owned())
    }

    async fn log_in(&self, email: &str) -> Outcome<Jar> {
        let mut jar = Jar::default();
        let callback = self.callback(&mut jar, "/login", email).await?;
        assert_eq!(self.get(&mut jar, &callback).await?.status, 303);
        Ok(jar)
    }

    /// A login whose token has expired by now.
    async fn log_in_long_ago(&self, email: &str) -> Outcome<Jar> {
        let jar = self.log_in(email).await?;
        self.clock.advance(Duration::from_secs(301));
        Ok(jar)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What Unicode takes for white space, and browsers for a letter of the name; two of them in Latin-1 too.
const SPACES: &[&[u8]] = &[
    "\u{2003}".as_bytes(),
    "\u{a0}".as_bytes(),
    "\u{85}".as_bytes(),
    "\u{3000}".as_bytes(),
    "\u{1680}".as_bytes(),
    "\u{2028}".as_bytes(),
    b"\xa0",
    b"\x85",
];

/// A cookie that another host of the domain can set, with a name that looks like this one.
fn look_alikes(name: &str, value: &str) -> Vec<Vec<u8>> {
    let (name, value) = (name.as_bytes(), value.as_bytes());
    let pairs = |space: &&[u8]| [[space, name, b"=", value].concat(), [name, space, b"=", value].concat()];
    SPACES.iter().flat_map(pairs).collect()
}

#[tokio::test]
async fn a_name_that_looks_alike_is_another_name() -> Outcome {
    for site in [Site::in_a_store().await?, Site::in_cookies().await?] {
        let (ada, mallory) = (site.log_in("ada@example.com").await?, site.log_in("mallory@example.com").await?);
        let (name, planted) = mallory.only();
        assert!(name.starts_with("__Host-"), "{name}");
        for planted in [planted, "garbage"] {
            for planted in look_alikes(name, planted) {
                let alone = site.send("GET", "/account", &[("Cookie", &planted)]).await?;
                assert_eq!(alone.text, NOBODY, "{planted:?}");
                assert!(alone.set_cookies().is_empty(), "{planted:?}");
                for line in [[&planted[..], b"; ", &ada.line()].concat(), [&ada.line(), &b"; "[..], &planted].concat()]
                {
                    let beside = site.send("GET", "/account", &[("Cookie", &line)]).await?;
                    assert_eq!(beside.text, "ada@example.com", "{planted:?}");
                    assert!(beside.set_cookies().is_empty(), "{planted:?}");
                }
            }
        }

        // A login that another browser began.
        let mut other = Jar::default();
        let callback = site.callback(&mut other, "/login?return_to=/wallet", "mallory@example.com").await?;
        let (name, planted) = other.only();
        for planted in look_alikes(name, planted) {
            let line = [&planted[..], b"; ", &ada.line()].concat();
            let page = site.send("GET", &callback, &[("Cookie", &line)]).await?;
            assert_eq!(page.status, 400, "{planted:?}");
            assert!(page.set_cookies().is_empty(), "{planted:?}");
        }
        assert_eq!(site.get(&mut other, &callback).await?.status, 303, "its own browser still can");
    }
    Ok(())
}

#[tokio::test]
async fn two_values_of_one_name_are_no_cookie() -> Outcome {
    for site in [Site::in_a_store().await?, Site::in_cookies().await?] {
        let (ada, mallory) = (site.log_in("ada@example.com").await?, site.log_in("mallory@example.com").await?);
        let (ada, mallory) = (ada.line(), mallory.line());
        for (lines, name) in [
            (vec![[&ada[..], b"; ", &mallory].concat()], NOBODY),
            (vec![ada.clone(), mallory.clone()], NOBODY),
            (vec![[&ada[..], b"; ", &ada].concat()], "ada@example.com"),
            // Whatever others have set does no harm, and spaces and tabs don't count.
            (vec![[&b"name=Jos\xe9; \xff=\xfe; ;=; "[..], &ada, b"\t ; x=\"\xf0; y"].concat()], "ada@example.com"),
            (vec![b"\xff=1".to_vec(), [&b" \t"[..], &ada].concat(), b"theme=dark".to_vec()], "ada@example.com"),
        ] {
            let headers: Vec<_> = lines.iter().map(|line| ("Cookie", &line[..])).collect();
            let page = site.send("GET", "/account", &headers).await?;
            assert_eq!(page.text, name, "{lines:?}");
            assert!(page.set_cookies().is_empty(), "{lines:?}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_sign_out_leads_to_workos_while_the_keys_are_unavailable() -> Outcome {
    for fault in [Fault::Stall, Fault::Status(500, None)] {
        for site in [Site::in_a_store().await?, Site::in_cookies().await?] {
            let mut jar = site.log_in("ada@example.com").await?;
            let before = site.authkit.requests_to(Endpoint::Jwks);
            site.authkit.inject_for(Endpoint::Jwks, fault, Duration::from_secs(3600));
            let out = site.post(&mut jar, "/logout").await?;
            let workos = format!("{}/user_management/sessions/logout?session_id=session_", site.authkit.base_url());
            assert!(out.location().starts_with(&workos), "{}", out.location());
            assert_eq!((out.status, site.authkit.requests_to(Endpoint::Jwks)), (303, before));
            assert!(jar.0.is_empty());
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_sign_out_ends_the_sessions_of_all_values_of_its_cookie() -> Outcome {
    for site in [Site::in_a_store().await?, Site::in_cookies().await?] {
        let (mut ada, mut mallory) = (site.log_in("ada@example.com").await?, site.log_in("mallory@example.com").await?);
        let session = site.get(&mut ada, "/session").await?.text;
        let both = [&ada.line()[..], b"; ", &mallory.line(), b"; ", &ada.line()].concat();
        let out = site.send("POST", "/logout", &[("Cookie", &both), ("Content-Length", b"0")]).await?;
        assert_eq!(out.status, 303);
        // The browser ends one at WorkOS, and this application the other.
        assert!(out.location().ends_with(&format!("session_id={session}")), "{}", out.location());
        assert_eq!(site.authkit.requests_to(Endpoint::RevokeSession), 1);
        ada.take(&out);
        assert!(ada.0.is_empty(), "the cookie is cleared");
        assert_eq!(site.get(&mut mallory.clone(), "/account").await?.text, NOBODY);
        assert_eq!(site.send("GET", "/account", &[("Cookie", &both)]).await?.text, NOBODY);

        // With one session there is nothing to revoke.
        mallory = site.log_in("mallory@example.com").await?;
        let twice = [&mallory.line()[..], b"; ", &mallory.line()].concat();
        let out = site.send("POST", "/logout", &[("Cookie", &twice), ("Content-Length", b"0")]).await?;
        assert!(out.location().contains("session_id="), "{}", out.location());
        assert_eq!(site.authkit.requests_to(Endpoint::RevokeSession), 1);
    }
    Ok(())
}

#[tokio::test]
async fn cookies_of_https_are_bound_to_their_host() -> Outcome {
    for (site, name) in
        [(Site::in_a_store().await?, "__Host-workos-session"), (Site::in_cookies().await?, "__Host-wos-session")]
    {
        let mut jar = Jar::default();
        let callback = site.callback(&mut jar, "/login", "ada@example.com").await?;
        assert!(jar.only().0.starts_with("__Host-workos-login-"));
        let finished = site.get(&mut jar, &callback).await?;
        assert_eq!(jar.only().0, name);
        assert!(finished.set_cookies().iter().all(|cookie| cookie.contains("; Secure") && !cookie.contains("Domain")));
        // Over https, another host can plant a cookie without the prefix.
        let planted = [name.trim_start_matches("__Host-"), "=", jar.only().1].concat();
        let page = site.send("GET", "/account", &[("Cookie", planted.as_bytes())]).await?;
        assert_eq!(page.text, NOBODY);
        assert!(page.set_cookies().is_empty());
    }
    Ok(())
}

#[tokio::test]
async fn only_the_applications_own_pages_sign_out_and_switch() -> Outcome {
    const REFUSED: &[&[(&str, &str)]] = &[
        &[("Sec-Fetch-Site", "same-site")],
        &[("Sec-Fetch-Site", "cross-site")],
        &[("Sec-Fetch-Site", "none")],
        &[("Sec-Fetch-Site", "")],
        &[("Sec-Fetch-Site", "same-origin"), ("Sec-Fetch-Site", "cross-site")],
        &[("Origin", "https://evil.example.com")],
        &[("Origin", "http://app.example.com")],
        &[("Origin", "https://app.example.com:8443")],
        &[("Origin", "https://app.example.com.evil.example")],
        &[("Origin", "null")],
        &[("Origin", "")],
        &[("Origin", HTTPS), ("Origin", "https://evil.example.com")],
        &[("Origin", HTTPS), ("Sec-Fetch-Site", "same-site")],
        &[("Origin", "null"), ("Sec-Fetch-Site", "same-origin")],
        // What the request says of its own host proves nothing.
        &[("Origin", "https://evil.example.com"), ("X-Forwarded-Host", "evil.example.com")],
    ];
    const TAKEN: &[&[(&str, &str)]] = &[
        &[],
        &[("Sec-Fetch-Site", "same-origin")],
        &[("Origin", HTTPS)],
        &[("Origin", HTTPS), ("Sec-Fetch-Site", "same-origin")],
        &[("Origin", "https://named.example.com"), ("Sec-Fetch-Site", "same-site")],
    ];
    for site in [Site::in_a_store().await?, Site::in_cookies().await?] {
        let jar = site.log_in("ada@example.com").await?;
        let line = jar.line();
        let with = |headers: &'static [(&'static str, &'static str)]| {
            let given = headers.iter().map(|(name, value)| (*name, value.as_bytes()));
            [("Cookie", &line[..]), ("Content-Length", b"0")].into_iter().chain(given).collect::<Vec<_>>()
        };
        let before = site.authkit.requests_to(AUTHENTICATE);
        for target in ["/logout", "/switch"] {
            for method in ["GET", "HEAD", "PUT", "DELETE"] {
                let page = site.send(method, target, &with(&[])).await?;
                assert_eq!(page.status, 405, "{method} {target}");
                assert_eq!(page.headers["allow"], "POST");
                assert!(page.set_cookies().is_empty() && page.is_private());
            }
            for headers in REFUSED {
                let page = site.send("POST", target, &with(headers)).await?;
                assert_eq!(page.status, 403, "{target} {headers:?}");
                assert!(page.set_cookies().is_empty() && page.is_private());
            }
        }
        assert_eq!(site.authkit.requests_to(AUTHENTICATE), before, "nothing was sent");
        assert_eq!(site.get(&mut jar.clone(), "/account").await?.text, "ada@example.com", "nothing was changed");

        for headers in TAKEN {
            let mut jar = site.log_in("ada@example.com").await?;
            let line = jar.line();
            let mut all = vec![("Cookie", &line[..]), ("Content-Length", b"0")];
            all.extend(headers.iter().map(|(name, value)| (*name, value.as_bytes())));
            let switched = site.send("POST", "/switch", &all).await?;
            assert_eq!((switched.status, &*switched.text), (200, "org_two"), "{headers:?}");
            jar.take(&switched);
            let line = jar.line();
            all[0].1 = &line;
            let logged_out = site.send("POST", "/logout", &all).await?;
            assert_eq!(logged_out.status, 303, "{headers:?}");
            jar.take(&logged_out);
            assert!(jar.0.is_empty());
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_handler_inside_a_middleware_has_the_last_word() -> Outcome {
    let site = Site::in_cookies().await?;
    let one_cookie = |page: &Page| {
        let cookies = page.set_cookies();
        assert_eq!(cookies.iter().filter(|cookie| cookie.starts_with("__Host-wos-session=")).count(), 1, "{cookies:?}");
        assert!(page.is_private());
        assert_eq!(page.headers.get_all("vary").iter().count(), 1);
    };
    // The token has expired, so that the middleware has a new cookie for it.
    let mut jar = site.log_in_long_ago("ada@example.com").await?;
    let logged_out = site.post(&mut jar, "/wrapped/logout").await?;
    one_cookie(&logged_out);
    assert!(jar.0.is_empty(), "a logout stays one");

    let mut jar = site.log_in_long_ago("ada@example.com").await?;
    let switched = site.post(&mut jar, "/wrapped/switch").await?;
    assert_eq!((switched.status, &*switched.text), (200, "org_two"));
    one_cookie(&switched);
    let again = site.send("POST", "/switch", &[("Cookie", &jar.line()), ("Content-Length", b"0")]).await?;
    assert_eq!(again.text, "org_two", "its cookie is that of the new organization");

    // The old session is over, so that the middleware would clear its cookie.
    let mut jar = site.log_in_long_ago("ada@example.com").await?;
    let (name, _) = jar.only();
    let dead = (name.to_owned(), "garbage".to_owned());
    let mut browser = Jar::default();
    let callback = site.callback(&mut browser, "/login", "ada@example.com").await?;
    browser.0.extend([dead]);
    let finished = site.get(&mut browser, &format!("/wrapped{callback}")).await?;
    one_cookie(&finished);
    assert_eq!(site.get(&mut browser, "/account").await?.text, "ada@example.com", "a new session stays");

    // Where the handler sets nothing, the middleware does.
    let renewed = site.get(&mut jar, "/wrapped/account").await?;
    assert_eq!(renewed.text, "ada@example.com");
    one_cookie(&renewed);
    Ok(())
}

#[tokio::test]
async fn an_answer_that_may_be_late_clears_no_cookie() -> Outcome {
    // WorkOS takes its time to say that the session is over. Meanwhile its user may have signed in again.
    for (site, in_cookies) in [(Site::in_a_store().await?, false), (Site::in_cookies().await?, true)] {
        let mut jar = site.log_in("ada@example.com").await?;
        let id = site.get(&mut jar, "/session").await?.text;
        site.authkit.end_session(&id);
        site.clock.advance(Duration::from_secs(301));
        site.authkit.inject(AUTHENTICATE, Fault::Slow(LATE), 1);
        let late = site.get(&mut jar, "/account").await?;
        assert_eq!(late.text, NOBODY);
        assert!(late.set_cookies().is_empty());
        let next = site.get(&mut jar, "/account").await?;
        assert_eq!(next.text, NOBODY);
        // In the store it was removed a moment ago, and a new login may have set the cookie in between.
        assert_eq!(jar.0.is_empty(), in_cookies);
    }

    for site in [Site::in_a_store().await?, Site::in_cookies().await?] {
        // A login is under way in this browser: any answer may come after it.
        let name = site.log_in("ada@example.com").await?.only().0.to_owned();
        let mut jar = Jar::default();
        let callback = site.callback(&mut jar, "/login", "ada@example.com").await?;
        jar.0.insert(name.clone(), "unknown".to_owned());
        for (method, target) in [("GET", "/account"), ("POST", "/switch")] {
            let page = site.send(method, target, &[("Cookie", &jar.line()), ("Content-Length", b"0")]).await?;
            assert!(page.set_cookies().is_empty(), "{target}");
        }
        site.get(&mut jar, &callback).await?;
        assert_eq!(site.get(&mut jar, "/account").await?.text, "ada@example.com");

        // What is known at once, and answered at once, is cleared.
        let mut jar = Jar(BTreeMap::from([(name, "unknown".to_owned())]));
        let slow = site.get(&mut jar, "/wrapped/slow").await?;
        assert!(slow.set_cookies().is_empty(), "its handler took long");
        site.get(&mut jar, "/account").await?;
        assert!(jar.0.is_empty());
    }
    Ok(())
}

/// A page under the middleware takes long. Meanwhile its browser does something else; what does the page's answer undo?
async fn beside_a_slow_page(site: &Site, jar: &mut Jar, meanwhile: impl AsyncFnOnce(&mut Jar) -> Outcome) -> Outcome {
    let before = jar.line();
    let slow = async { site.send("GET", "/wrapped/slow", &[("Cookie", &before)]).await };
    let meanwhile = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        meanwhile(jar).await
    };
    let (slow, done) = tokio::join!(slow, meanwhile);
    done?;
    jar.take(&slow?);
    Ok(())
}

#[tokio::test]
async fn an_answer_that_comes_late_undoes_nothing() -> Outcome {
    for site in [Site::in_a_store().await?, Site::in_cookies().await?] {
        let mut jar = site.log_in_long_ago("ada@example.com").await?;
        let old = jar.line();
        beside_a_slow_page(&site, &mut jar, async |jar| {
            assert_eq!(site.post(jar, "/logout").await?.status, 303);
            Ok(())
        })
        .await?;
        assert!(jar.0.is_empty(), "a logout stays one");
        // In this process it also holds for copies of the cookie.
        let page = site.send("GET", "/account", &[("Cookie", &old)]).await?;
        assert_eq!(page.text, NOBODY);

        let mut jar = site.log_in_long_ago("ada@example.com").await?;
        beside_a_slow_page(&site, &mut jar, async |jar| {
            let callback = site.callback(jar, "/login", "mallory@example.com").await?;
            assert_eq!(site.get(jar, &callback).await?.status, 303);
            Ok(())
        })
        .await?;
        assert_eq!(site.get(&mut jar, "/account").await?.text, "mallory@example.com", "a new login stays");

        let mut jar = site.log_in_long_ago("ada@example.com").await?;
        beside_a_slow_page(&site, &mut jar, async |jar| {
            assert_eq!(site.post(jar, "/switch").await?.text, "org_two");
            Ok(())
        })
        .await?;
        let stays = site.get(&mut jar, "/organization").await?;
        assert_eq!(stays.text, "org_two", "a switch stays");

        // Where nothing happens, the new cookie comes, however late: there is no other copy.
        let mut jar = site.log_in_long_ago("ada@example.com").await?;
        let before = jar.line();
        beside_a_slow_page(&site, &mut jar, async |_| Ok(())).await?;
        assert_eq!(jar.line() == before, jar.only().0 == "__Host-workos-session");
        assert_eq!(site.get(&mut jar, "/account").await?.text, "ada@example.com");
    }
    Ok(())
}

#[tokio::test]
async fn an_outcome_says_which_cookie_it_speaks_of() -> Outcome {
    let client = confidential(NOWHERE).build()?;
    let sessions = SessionManager::new(client.clone(), MemorySessionStore::new());
    let parking = Parking::new(CookiePassword::generate()?);
    let handlers = LoginHandlers::new(client, sessions, parking, RedirectUri::new(format!("{HTTPS}/callback"))?);
    let ask =
        |cookie: &str| http::Request::get("/").header("cookie", cookie).body(()).map(|asked| asked.into_parts().0);

    let found = handlers.authenticate(&ask("__Host-workos-session=the-first")?).await;
    let spoken_of = found.speaks_of().ok_or("nothing")?;
    assert!(spoken_of.matches("the-first") && !spoken_of.matches("two") && !spoken_of.matches(""));
    assert!(!format!("{found:?}").contains("the-first"), "{found:?}");
    let found = handlers.authenticate(&ask("theme=dark")?).await;
    assert!(found.speaks_of().is_none());
    Ok(())
}

#[tokio::test]
async fn added_headers_weaken_nothing() -> Outcome {
    let site = Site::in_cookies().await?;
    let page = site.send("GET", "/wrapped/own", &[]).await?;
    assert_eq!(page.headers["cache-control"], "private, no-store, no-transform");
    assert_eq!(page.headers.get_all("vary").iter().collect::<Vec<_>>(), ["Accept, cookie"]);
    let page = site.send("GET", "/wrapped/shared", &[]).await?;
    assert_eq!(page.headers.get_all("cache-control").iter().collect::<Vec<_>>(), ["no-store"]);
    assert_eq!(page.headers.get_all("vary").iter().collect::<Vec<_>>(), ["Accept", "Cookie"]);

    // A cookie of another name is in nobody's way, whatever its name looks like.
    let page = site.send("GET", "/wrapped/similar", &[("Cookie", b"__Host-wos-session=garbage")]).await?;
    assert_eq!(page.set_cookies().len(), 3, "{:?}", page.set_cookies());
    Ok(())
}

#[tokio::test]
async fn a_return_path_fits_into_a_location_and_a_cookie() -> Outcome {
    let site = Site::in_a_store().await?;
    let longest = format!("/{}", "a".repeat(1_023));
    for (given, leads_to) in [
        ("/caf%C3%A9?q=a+b", "/caf%C3%A9?q=a%20b"),
        ("/%F0%9F%92%A9%23%C3%A9", "/%F0%9F%92%A9#%C3%A9"),
        (&longest, &longest),
        (&format!("{longest}a"), "/"),
        // As many characters, but more bytes.
        (&format!("/{}", "%C3%A9".repeat(300)), "/"),
        ("/.//evil.example", "/"),
        ("/..//evil.example", "/"),
        ("/%252e//evil.example", "/"),
        ("/.%252E/%252fevil.example", "/"),
        ("/a/..//evil.example", "/"),
        ("/%252e%252e%252fevil.example", "/"),
        ("/%252fevil.example", "/"),
        ("/%255cevil.example", "/"),
        ("//evil.example", "/"),
        ("/..?//evil.example", "/"),
        ("/...//evil.example", "/...//evil.example"),
        ("/inbox?next=/../x", "/inbox?next=/../x"),
    ] {
        let mut jar = Jar::default();
        let callback = site.callback(&mut jar, &format!("/login?return_to={given}"), "ada@example.com").await?;
        assert!(jar.line().len() < 4_096);
        let finished = site.get(&mut jar, &callback).await?;
        assert_eq!(finished.location(), leads_to, "{given}");
        assert!(finished.headers[LOCATION].as_bytes().is_ascii());
    }
    Ok(())
}
