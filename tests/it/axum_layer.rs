//! The layer for tower and the extractors for axum, by real requests with a jar of cookies, with both kinds of sessions.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use reqwest::header::SET_COOKIE;
use reqwest::redirect::Policy;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tower::ServiceExt;
use workos_auth::handlers::{FinishedLogin, Permission, Permitted};
use workos_auth::parking::Parking;
use workos_auth::session::{CookieSessions, MemorySessionStore};
use workos_auth::testing::{AuthKit, Browser, Fault, TestUser};
use workos_auth::tower::require_permission;
use workos_auth::typestate::SessionLayer;
use workos_auth::webhook::WebhookSecret;
use workos_auth::{
    ConfidentialClient, CookiePassword, EmailAddress, Error, ExposeSecret, LoginHandlers, NotSignedIn, OrganizationId,
    Password, RedirectUri, SessionCookie, SessionManager, SessionState, SignedIn, Step, TotpCode,
};

use crate::support::application::AUTHENTICATE;
use crate::support::clients::{NOWHERE, confidential};
use crate::support::login::PASSWORD;
use crate::support::pages::{Jar, Page};
use crate::support::{Outcome, scripted};

const ADA: &str = "ada@example.com";
const GRACE: &str = "grace@example.com";
/// In no organization.
const LINUS: &str = "linus@example.com";
const NOBODY: &str = "nobody";
const HTML: (&str, &str) = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");

struct WritePosts;
impl Permission for WritePosts {
    const SLUG: &'static str = "posts:write";
}

async fn home(user: Option<SignedIn>) -> String {
    user.map_or_else(|| NOBODY.to_owned(), |user| user.user().email.clone())
}

async fn account(user: SignedIn) -> String {
    let organization = user.organization_id().map_or("none", |id| id.as_str());
    format!("{} in {organization} by {}", user.user().email, user.impersonator().unwrap_or("themselves"))
}

async fn write(author: Permitted<WritePosts>) -> String {
    format!("{} in {}", author.user().email, author.membership().organization_id())
}

async fn may(author: Option<Permitted<WritePosts>>) -> &'static str {
    if author.is_some() { "yes" } else { "no" }
}

/// A page about one organization.
async fn write_in(author: Permitted<WritePosts>, Path(id): Path<OrganizationId>) -> Result<String, Error> {
    Ok(author.in_organization(&id)?.organization_id().to_string())
}

async fn state(state: SessionState) -> &'static str {
    match state {
        SessionState::Active(_) => "active",
        SessionState::SignedOut(_) => "signed out",
        SessionState::TemporarilyUnknown(_) => "unknown",
    }
}

/// A form that signs in with a password, and with a code where WorkOS asks for one.
#[derive(Clone)]
struct Form<L> {
    client: ConfidentialClient,
    handlers: Arc<LoginHandlers<L>>,
}

fn header<'a>(request: &'a Parts, name: &str) -> &'a str {
    request.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

async fn password<L: SessionLayer>(form: State<Arc<Form<L>>>, request: Parts) -> Result<FinishedLogin, Error> {
    let email = EmailAddress::new(header(&request, "x-email"))?;
    let response = match form.client.authenticate_with_password(email, Password::new(PASSWORD)).send().await {
        Err(NotSignedIn::Step(Step::MfaChallenge(step))) => {
            let factor = step.factors()[0].id.clone();
            let challenge = step.challenge(&factor).send().await?;
            challenge.verify(TotpCode::new(header(&request, "x-code"))).send().await?
        }
        response => response?,
    };
    form.handlers.sign_in(&request, response).await
}

/// The application, and beside it the same handlers inside the layer, as one would write it with tower alone.
struct Site {
    authkit: AuthKit,
    origin: String,
    inside: String,
    tasks: Vec<JoinHandle<std::io::Result<()>>>,
    http: reqwest::Client,
    in_cookies: bool,
}

impl Site {
    async fn start<L: SessionLayer>(
        sessions: impl FnOnce(ConfidentialClient) -> Outcome<L>,
        configure: impl FnOnce(LoginHandlers<L>) -> LoginHandlers<L>,
        in_cookies: bool,
    ) -> Outcome<Self> {
        let ada = TestUser::new(ADA).organization("org_one").organization("org_two").permission("posts:write");
        let grace = TestUser::new(GRACE).password(PASSWORD).totp();
        let reader = TestUser::new("reader@example.com").organization("org_one").permission("posts:read");
        let builder = AuthKit::builder().user(ada).user(grace).user(reader).user(TestUser::new(LINUS));
        let authkit = builder.start().await?;
        let client = authkit.confidential_client_builder().retries(0).build()?;

        let (listener, beside) = (TcpListener::bind("127.0.0.1:0").await?, TcpListener::bind("127.0.0.1:0").await?);
        let origin = format!("http://{}", listener.local_addr()?);
        let inside = format!("http://{}", beside.local_addr()?);
        let (sessions, parking) = (sessions(client.clone())?, Parking::new(CookiePassword::generate()?));
        let redirect_uri = RedirectUri::new(format!("{origin}/callback"))?;
        let handlers = Arc::new(configure(LoginHandlers::new(client.clone(), sessions, parking, redirect_uri)));

        let form = Arc::new(Form { client, handlers: Arc::clone(&handlers) });
        let guarded = Router::new().route("/posts", get(async || "posts"));
        let routes = Router::new()
            .route("/", get(home))
            .route("/account", get(account).post(account))
            .route("/write", get(write))
            .route("/may", get(may))
            .route("/org/{id}/posts", get(write_in))
            .route("/state", get(state))
            .route("/session", get(async |user: SignedIn| user.token().session_id().to_string()))
            .nest("/app", Router::new().route("/inbox", get(account)))
            .nest("/admin", guarded.route_layer(require_permission("posts:write")))
            .merge(Router::new().route("/password", post(password::<L>)).with_state(form));
        let page = async |request: Parts| match request.extensions.get() {
            Some(SessionState::Active(user)) => format!("{} in {:?}", user.user().email, user.organization_id()),
            Some(_) => NOBODY.to_owned(),
            None => "no layer".to_owned(),
        };
        let all_inside = handlers.router().route("/account", get(page)).layer(handlers.layer());
        let tasks = vec![
            tokio::spawn(axum::serve(listener, handlers.app(routes)).into_future()),
            tokio::spawn(axum::serve(beside, all_inside).into_future()),
        ];
        let http = reqwest::Client::builder().redirect(Policy::none()).no_proxy().build()?;
        Ok(Self { authkit, origin, inside, tasks, http, in_cookies })
    }

    async fn in_a_store() -> Outcome<Self> {
        Self::start(|client| Ok(SessionManager::new(client, MemorySessionStore::new())), |it| it, false).await
    }

    async fn in_cookies() -> Outcome<Self> {
        Self::start(sealed, |it| it, true).await
    }

    async fn both() -> Outcome<[Self; 2]> {
        Ok([Self::in_a_store().await?, Self::in_cookies().await?])
    }

    fn cookie(&self) -> &'static str {
        if self.in_cookies { "wos-session" } else { "workos-session" }
    }

    /// Lets the access tokens expire that there are.
    fn expire(&self) {
        self.authkit.advance(Duration::from_secs(301));
    }

    async fn ask(
        &self,
        jar: &mut Jar,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        form: &'static str,
    ) -> Outcome<Page> {
        let url = if url.starts_with('/') { format!("{}{url}", self.origin) } else { url.to_owned() };
        let mut request = self.http.request(method.parse()?, url).body(form);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if !jar.0.is_empty() {
            request = request.header("cookie", jar.line());
        }
        let reply = request.send().await?;
        let (status, headers) = (reply.status().as_u16(), reply.headers().clone());
        let page = Page { status, headers, text: reply.text().await? };
        jar.take(&page);
        Ok(page)
    }

    async fn get(&self, jar: &mut Jar, url: &str) -> Outcome<Page> {
        self.ask(jar, "GET", url, &[HTML], "").await
    }

    async fn post(&self, jar: &mut Jar, url: &str, form: &'static str) -> Outcome<Page> {
        self.ask(jar, "POST", url, &[HTML], form).await
    }

    /// Begins a login, and signs in at AuthKit; gives the path and query of the callback.
    async fn callback(&self, jar: &mut Jar, login: &str, email: &str) -> Outcome<String> {
        let begun = self.get(jar, login).await?;
        assert_eq!(begun.status, 302);
        let callback = Browser::new()?.sign_in(begun.location(), email).await?;
        Ok(callback.strip_prefix(&self.origin).ok_or("elsewhere")?.to_owned())
    }

    /// Logs in, and gives where that leads.
    async fn log_in(&self, jar: &mut Jar, login: &str, email: &str) -> Outcome<String> {
        let callback = self.callback(jar, login, email).await?;
        let finished = self.get(jar, &callback).await?;
        assert_eq!(finished.status, 303, "{}", finished.text);
        finished.is_private_with_cookies(2);
        Ok(finished.location().to_owned())
    }

    async fn jar_of(&self, email: &str) -> Outcome<Jar> {
        let mut jar = Jar::default();
        self.log_in(&mut jar, "/login", email).await?;
        assert_eq!(jar.0.keys().collect::<Vec<_>>(), [self.cookie()]);
        Ok(jar)
    }

    async fn organization(&self, jar: &mut Jar) -> Outcome<String> {
        let page = self.get(jar, "/account").await?;
        Ok(page.text.split(' ').nth(2).unwrap_or_default().to_owned())
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

fn sealed(client: ConfidentialClient) -> Outcome<CookieSessions> {
    Ok(CookieSessions::new(client, SessionCookie::new(CookiePassword::generate()?)?))
}

impl Page {
    /// Its headers for caches, once each, and as many cookies.
    #[track_caller]
    fn is_private_with_cookies(&self, number: usize) {
        assert!(self.is_private(), "{:?}", self.headers);
        assert_eq!(self.set_cookies().len(), number, "{:?}", self.set_cookies());
    }
}

#[tokio::test]
async fn a_page_leads_to_the_login_and_back() -> Outcome {
    for site in Site::both().await? {
        let mut jar = Jar::default();
        for (page, login) in [
            ("/account", "/login?return_to=/account"),
            ("/account?q=a+b%20c&x=%C3%A9", "/login?return_to=/account%3Fq%3Da%2Bb%2520c%26x%3D%25C3%25A9"),
            ("/write", "/login?return_to=/write"),
            ("/admin/posts", "/login?return_to=/admin/posts"),
            ("/app/inbox?id=7", "/login?return_to=/app/inbox%3Fid%3D7"),
        ] {
            let asked = site.get(&mut jar, page).await?;
            assert_eq!((asked.status, asked.location()), (303, login));
            asked.is_private_with_cookies(0);
            let head = site.ask(&mut jar, "HEAD", page, &[HTML], "").await?;
            assert_eq!((head.status, head.location()), (303, login));
            assert_eq!(site.log_in(&mut Jar::default(), login, ADA).await?, page, "a nest doesn't shorten it");
        }
        // What is too long for a cookie leads to the login alone.
        let long = site.get(&mut jar, &format!("/account?{}", "x".repeat(1_100))).await?;
        assert_eq!(long.location(), "/login");
        let (_, leads_to) = (site.get(&mut jar, "/").await?, site.log_in(&mut jar, "/login", ADA).await?);
        assert_eq!(leads_to, "/");
        let account = site.get(&mut jar, "/account").await?;
        assert_eq!((account.status, &*account.text), (200, "ada@example.com in org_one by themselves"));
        account.is_private_with_cookies(0);
    }
    Ok(())
}

#[tokio::test]
async fn what_is_not_a_page_gets_401() -> Outcome {
    const HEADERS: &[&[(&str, &str)]] = &[
        &[],
        &[("accept", "application/json")],
        &[("accept", "*/*")],
        &[("accept", "text/html;q=0, application/json")],
        &[HTML, ("sec-fetch-mode", "cors")],
    ];
    for site in Site::both().await? {
        for headers in HEADERS {
            let page = site.ask(&mut Jar::default(), "GET", "/account", headers, "").await?;
            assert_eq!((page.status, page.location(), &*page.text), (401, "", "Please sign in."), "{headers:?}");
            assert_eq!(page.headers["www-authenticate"], "Cookie");
            page.is_private_with_cookies(0);
        }
        let navigation = [("accept", "application/json, TEXT/HTML;q=0.1"), ("sec-fetch-mode", "navigate")];
        let page = site.ask(&mut Jar::default(), "GET", "/account", &navigation, "").await?;
        assert_eq!(page.status, 303);
        // A form that came too late isn't a page to come back to.
        assert_eq!(site.post(&mut Jar::default(), "/account", "").await?.status, 401);
    }
    Ok(())
}

#[tokio::test]
async fn an_outage_is_503_and_never_nobody() -> Outcome {
    for site in Site::both().await? {
        let mut jar = site.jar_of(ADA).await?;
        let before = jar.0.clone();
        site.expire();
        site.authkit.inject(AUTHENTICATE, Fault::Status(500, None), usize::MAX);
        for page in ["/account", "/", "/write", "/may", "/admin/posts"] {
            let answer = site.get(&mut jar, page).await?;
            assert_eq!((answer.status, answer.location()), (503, ""), "{page}: {}", answer.text);
            let wait: u64 = answer.headers["retry-after"].to_str()?.parse()?;
            assert!((1..=60).contains(&wait));
            answer.is_private_with_cookies(0);
        }
        assert_eq!(site.get(&mut jar, "/state").await?.text, "unknown");
        assert_eq!(jar.0, before, "the cookie is kept");
        // Whoever has no cookie is nobody, whatever WorkOS does.
        assert_eq!(site.get(&mut Jar::default(), "/").await?.text, NOBODY);
        site.authkit.heal();
        assert_eq!(site.get(&mut jar, "/").await?.text, ADA);
    }
    Ok(())
}

#[tokio::test]
async fn who_may_be_nobody_is_asked_for_as_an_option() -> Outcome {
    for site in Site::both().await? {
        let mut jar = site.jar_of(ADA).await?;
        assert_eq!(site.get(&mut jar, "/").await?.text, ADA);
        assert_eq!(site.get(&mut jar, "/state").await?.text, "active");
        let mut stranger = Jar::default();
        for (page, text) in [("/", NOBODY), ("/may", "no"), ("/state", "signed out")] {
            let page = site.get(&mut stranger, page).await?;
            assert_eq!((page.status, &*page.text), (200, text));
            page.is_private_with_cookies(0);
        }
        // A cookie that is worth nothing is cleared, once.
        stranger.0.insert(site.cookie().to_owned(), "garbage".to_owned());
        let page = site.get(&mut stranger, "/").await?;
        assert_eq!((page.status, &*page.text), (200, NOBODY));
        page.is_private_with_cookies(1);
        assert!(stranger.0.is_empty());
    }
    Ok(())
}

#[tokio::test]
async fn a_permission_counts_in_the_active_organization() -> Outcome {
    for site in Site::both().await? {
        let mut ada = site.jar_of(ADA).await?;
        assert_eq!(site.get(&mut ada, "/write").await?.text, "ada@example.com in org_one");
        assert_eq!(site.get(&mut ada, "/may").await?.text, "yes");
        assert_eq!(site.get(&mut ada, "/admin/posts").await?.text, "posts");
        assert_eq!(site.get(&mut ada, "/org/org_one/posts").await?.text, "org_one");
        let other = site.get(&mut ada, "/org/org_two/posts").await?;
        assert_eq!((other.status, &*other.text), (403, "You are not allowed to do that."));
        site.post(&mut ada, "/switch-organization", "organization_id=org_two").await?;
        assert_eq!(site.get(&mut ada, "/org/org_two/posts").await?.text, "org_two");
        assert_eq!(site.get(&mut ada, "/org/org_one/posts").await?.status, 403);
        // Another permission, and no organization.
        for email in ["reader@example.com", LINUS] {
            let mut jar = site.jar_of(email).await?;
            assert!(site.get(&mut jar, "/account").await?.text.starts_with(email));
            for page in ["/write", "/admin/posts"] {
                let refused = site.get(&mut jar, page).await?;
                assert_eq!((refused.status, &*refused.text), (403, "You are not allowed to do that."));
                refused.is_private_with_cookies(0);
            }
            assert_eq!(site.get(&mut jar, "/may").await?.text, "no");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_token_is_refreshed_once_and_its_cookie_set_once() -> Outcome {
    for site in Site::both().await? {
        let mut jar = site.jar_of(ADA).await?;
        let (before, old) = (site.authkit.refreshes(), jar.0.clone());
        site.expire();
        let page = site.get(&mut jar, "/account").await?;
        assert_eq!(page.status, 200);
        page.is_private_with_cookies(usize::from(site.in_cookies));
        assert_eq!(site.authkit.refreshes() - before, 1);
        assert_eq!(jar.0 == old, !site.in_cookies, "a sealed cookie is new, a handle stays");
        site.get(&mut jar, "/account").await?.is_private_with_cookies(0);
        assert_eq!(site.authkit.refreshes() - before, 1);
    }
    Ok(())
}

/// What an obvious layer breaks: its cookie comes last and wins.
#[tokio::test]
async fn inside_the_layer_no_login_logout_or_switch_is_undone() -> Outcome {
    for site in Site::both().await? {
        let inside = |target: &str| format!("{}{target}", site.inside);
        // An old session dies during a login.
        let mut old = site.jar_of(LINUS).await?;
        let session = site.get(&mut old, "/session").await?.text;
        site.authkit.end_session(&session);
        for dead in ["garbage".to_owned(), old.0[site.cookie()].clone()] {
            let mut jar = Jar::default();
            let callback = site.callback(&mut jar, &inside("/login"), ADA).await?;
            site.expire();
            jar.0.insert(site.cookie().to_owned(), dead);
            let finished = site.get(&mut jar, &inside(&callback)).await?;
            assert_eq!(finished.status, 303, "{}", finished.text);
            finished.is_private_with_cookies(2);
            assert_eq!(jar.0.len(), 1);
            assert!(site.get(&mut jar, &inside("/account")).await?.text.starts_with(ADA), "the login stays");
        }
        // The layer has a new cookie, and the logout clears it.
        let mut jar = site.jar_of(ADA).await?;
        site.expire();
        let out = site.post(&mut jar, &inside("/logout"), "").await?;
        assert_eq!(out.status, 303);
        out.is_private_with_cookies(1);
        assert!(jar.0.is_empty(), "a logout stays");
        assert_eq!(site.get(&mut jar, &inside("/account")).await?.text, NOBODY);

        let mut jar = site.jar_of(ADA).await?;
        site.expire();
        let switched = site.post(&mut jar, &inside("/switch-organization"), "organization_id=org_two").await?;
        assert_eq!((switched.status, switched.location()), (303, "/"));
        switched.is_private_with_cookies(usize::from(site.in_cookies));
        assert_eq!(site.organization(&mut jar).await?, "org_two", "a switch stays");

        let refused = site.ask(&mut jar, "GET", &inside("/logout"), &[], "").await?;
        assert_eq!((refused.status, &refused.headers["allow"]), (405, &"POST".parse()?));
        refused.is_private_with_cookies(0);
    }
    Ok(())
}

#[tokio::test]
async fn a_form_switches_the_organization() -> Outcome {
    for site in Site::both().await? {
        let mut jar = site.jar_of(ADA).await?;
        let switch = "/switch-organization";
        let done = site.post(&mut jar, switch, "organization_id=org_two&return_to=%2Finbox%3Fq%3D1").await?;
        assert_eq!((done.status, done.location()), (303, "/inbox?q=1"));
        done.is_private_with_cookies(usize::from(site.in_cookies));
        assert_eq!(site.organization(&mut jar).await?, "org_two");
        let elsewhere = site.post(&mut jar, switch, "organization_id=org_one&return_to=//evil.example").await?;
        assert_eq!((elsewhere.status, elsewhere.location()), (303, "/"));
        assert_eq!(site.organization(&mut jar).await?, "org_one");

        let evil = [("origin", "https://evil.example")];
        let forged = site.ask(&mut jar, "POST", switch, &evil, "organization_id=org_two").await?;
        assert_eq!(forged.status, 403);
        for form in ["", "organization_id=", "organization_id=../x"] {
            assert_eq!(site.post(&mut jar, switch, form).await?.status, 400, "{form}");
        }
        assert_eq!(site.post(&mut jar, switch, "organization_id=org_three").await?.status, 403, "of somebody else");
        let large = Box::leak(format!("organization_id=org_two&x={}", "x".repeat(20_000)).into_boxed_str());
        assert_eq!(site.post(&mut jar, switch, large).await?.status, 413);
        assert_eq!(site.organization(&mut jar).await?, "org_one", "nothing was changed");

        // Nobody is signed in any more: a page goes to the login, and from there on.
        let late = site.post(&mut Jar::default(), switch, "organization_id=org_two&return_to=/inbox").await?;
        assert_eq!((late.status, late.location()), (303, "/login?return_to=/inbox"));
        let script = site.ask(&mut Jar::default(), "POST", switch, &[], "organization_id=org_two").await?;
        assert_eq!(script.status, 401);
    }
    Ok(())
}

#[tokio::test]
async fn a_login_with_password_and_code_gets_the_same_session() -> Outcome {
    for site in Site::both().await? {
        let mut jar = site.jar_of(ADA).await?;
        let before = jar.clone();
        let code = site.authkit.totp_code(GRACE).ok_or("no factor")?;
        let sign_in = [("x-email", GRACE), ("x-code", code.as_str())];
        let wrong = site.ask(&mut jar, "POST", "/password", &[("x-email", GRACE), ("x-code", "000000")], "").await?;
        assert_eq!(wrong.status, 400);
        wrong.is_private_with_cookies(0);
        // A page of another origin would sign the user in as somebody else.
        let evil = [("x-email", GRACE), ("x-code", code.as_str()), ("origin", "https://evil.example")];
        let forged = site.ask(&mut jar, "POST", "/password", &evil, "").await?;
        assert_eq!(forged.status, 403);
        forged.is_private_with_cookies(0);
        assert_eq!(jar.0, before.0);

        // A code is good once.
        site.authkit.advance(Duration::from_secs(30));
        let code = site.authkit.totp_code(GRACE).ok_or("no factor")?;
        let sign_in = [sign_in[0], ("x-code", code.as_str())];
        let finished = site.ask(&mut jar, "POST", "/password?return_to=/account", &sign_in, "").await?;
        assert_eq!((finished.status, finished.location()), (303, "/account"), "{}", finished.text);
        finished.is_private_with_cookies(1);
        assert_eq!(site.get(&mut jar, "/").await?.text, GRACE);
        // The session that the browser had is over here.
        assert_eq!(site.get(&mut before.clone(), "/").await?.text, NOBODY);
    }
    Ok(())
}

#[tokio::test]
async fn an_impersonation_is_finished_only_where_the_application_wants_it() -> Outcome {
    let willing = Site::start(sealed, LoginHandlers::accept_impersonation, true).await?;
    for (site, accepts) in [(Site::in_cookies().await?, false), (willing, true)] {
        let redirect = format!("{}/callback", site.origin);
        let begun = site.authkit.impersonate(ADA, "admin@example.com", Some("ticket 7"), &redirect)?;
        let mut jar = Jar::default();
        let finished = site.get(&mut jar, &begun).await?;
        assert_eq!((finished.status, finished.location()), if accepts { (303, "/") } else { (400, "") });
        finished.is_private_with_cookies(usize::from(accepts));
        if accepts {
            let account = site.get(&mut jar, "/account").await?.text;
            assert!(account.ends_with("by admin@example.com"), "{account}");
        }
        // Any other login without a state is refused.
        let client = site.authkit.confidential_client();
        let plain = client.authorize(RedirectUri::new(redirect)?).authkit().begin_without_pkce()?;
        let callback = Browser::new()?.sign_in(plain.url().as_str(), ADA).await?;
        let stateless = callback.split("&state=").next().ok_or("no state")?;
        assert_ne!(stateless, callback);
        let mut jar = Jar::default();
        let refused = site.get(&mut jar, stateless).await?;
        assert_eq!(refused.status, 400, "{stateless}");
        assert!(jar.0.is_empty());
    }
    Ok(())
}

#[tokio::test]
async fn a_finished_login_hands_out_what_it_brought() -> Outcome {
    let api = scripted::prompt_api(|_| {
        let mut reply = scripted::response_in("refresh", &json!("org_one"));
        reply["authentication_method"] = json!("GoogleOAuth");
        reply["impersonator"] = json!({"email": "admin@example.com", "reason": "ticket 7"});
        reply["authkit_authorization_code"] = json!("for-another-application");
        reply["oauth_tokens"] = json!({
            "provider": "GoogleOAuth", "access_token": "google-access", "refresh_token": null, "expires_at": null,
            "scopes": ["email"],
        });
        (200, reply)
    });
    let client = confidential(NOWHERE).build_with(api)?;
    let redirect_uri = RedirectUri::new("https://app.example.com/auth/callback")?;
    let parking = Parking::new(CookiePassword::generate()?);
    let handlers = LoginHandlers::new(client.clone(), sealed(client)?, parking, redirect_uri);
    let (request, ()) = http::Request::get("/auth/login?return_to=/inbox").body(())?.into_parts();
    let begun = handlers.begin_login(&request)?;
    let state = crate::support::login::query(begun.headers()["location"].to_str()?, "state");
    let cookie = begun.headers()["set-cookie"].to_str()?.split(';').next().unwrap_or_default().to_owned();
    let callback = http::Request::get(format!("/auth/callback?code=the-code&state={state}")).header("cookie", cookie);
    let login = handlers.finish_login(&callback.body(())?.into_parts().0).await?;

    assert_eq!(login.user.email, ADA);
    assert_eq!(login.organization_id.as_ref().map(OrganizationId::as_str), Some("org_one"));
    assert_eq!(
        login.authentication_method.as_ref().map(workos_auth::login::AuthenticationMethod::as_str),
        Some("GoogleOAuth")
    );
    assert_eq!(login.impersonator.as_ref().map(|by| by.email.as_str()), Some("admin@example.com"));
    let tokens = login.oauth_tokens.as_ref().ok_or("no tokens")?;
    assert_eq!((tokens.access_token.expose_secret(), &tokens.scopes[..]), ("google-access", &["email".to_owned()][..]));
    let code = login.authkit_authorization_code.as_ref().ok_or("no code")?;
    assert_eq!(code.expose_secret(), "for-another-application");
    assert!(!format!("{login:?}").contains("google-access") && !format!("{login:?}").contains("for-another"));
    assert_eq!((login.return_path.as_str(), login.response.status().as_u16()), ("/inbox", 303));

    // The other requests are beside the callback.
    let (request, ()) = http::Request::get("/inbox?page=2").body(())?.into_parts();
    assert_eq!(handlers.login_path(&request), "/auth/login?return_to=/inbox%3Fpage%3D2");
    let (request, ()) = http::Request::post("/inbox").body(())?.into_parts();
    assert_eq!(handlers.login_path(&request), "/auth/login");
    let handlers = handlers.login_at("/sign-in".parse()?);
    assert_eq!(handlers.login_path(&request), "/sign-in");
    Ok(())
}

/// The callback of an application that keeps a provider's tokens, or knows its users.
#[tokio::test]
async fn an_application_answers_the_callback_itself() -> Outcome {
    async fn welcome(
        handlers: State<Arc<LoginHandlers<CookieSessions>>>,
        request: Parts,
    ) -> Result<([(&'static str, String); 1], FinishedLogin), Error> {
        let login = handlers.finish_login(&request).await?;
        Ok(([("x-welcome", login.user.email.clone())], login))
    }

    let authkit = AuthKit::builder().user(TestUser::new(ADA)).start().await?;
    let (client, origin) = (authkit.confidential_client(), "http://127.0.0.1:8080");
    let (parking, redirect_uri) = (Parking::new(CookiePassword::generate()?), format!("{origin}/callback").parse()?);
    let handlers = LoginHandlers::new(client.clone(), sealed(client)?, parking, redirect_uri);
    let handlers = Arc::new(handlers.without_callback_route());
    let own = Router::new().route("/callback", get(welcome)).with_state(Arc::clone(&handlers));
    let app = handlers.app(own.route("/account", get(account)));
    let ask = |target: &str, cookie: &str| {
        let request = http::Request::get(target).header("cookie", cookie).body(Body::empty()).unwrap();
        app.clone().oneshot(request)
    };
    let begun = ask("/login", "").await?;
    let callback = Browser::new()?.sign_in(begun.headers()["location"].to_str()?, ADA).await?;
    let cookie = begun.headers()["set-cookie"].to_str()?.split(';').next().unwrap_or_default();
    let finished = ask(callback.strip_prefix(origin).ok_or("elsewhere")?, cookie).await?;
    assert_eq!((finished.status().as_u16(), finished.headers()["x-welcome"].to_str()?), (303, ADA));
    let cookie = finished.headers()["set-cookie"].to_str()?.split(';').next().unwrap_or_default();
    assert_eq!(ask("/account", cookie).await?.status(), 200);
    assert_eq!(ask("/callback?code=forged&state=forged", cookie).await?.status(), 400);
    Ok(())
}

/// Handlers with sealed sessions, and users who signed in so long ago that their tokens have expired.
struct LongAgo {
    authkit: AuthKit,
    client: ConfidentialClient,
}

impl LongAgo {
    async fn start() -> Outcome<Self> {
        let [ada, linus] = [ADA, LINUS].map(|email| TestUser::new(email).password(PASSWORD));
        let authkit = AuthKit::builder().user(ada).user(linus).start().await?;
        let client = authkit.confidential_client_builder().retries(0).build()?;
        Ok(Self { authkit, client })
    }

    /// Handlers whose cookie has this name, and the cookie of a user in it.
    async fn handlers(&self, cookie: &str, email: &str) -> Outcome<(Arc<LoginHandlers<CookieSessions>>, String)> {
        let sealed = SessionCookie::new(CookiePassword::generate()?)?.name(cookie)?;
        let sessions = CookieSessions::new(self.client.clone(), sealed);
        let parking = Parking::new(CookiePassword::generate()?);
        let redirect_uri = RedirectUri::new("http://127.0.0.1:8080/callback")?;
        let handlers = Arc::new(LoginHandlers::new(self.client.clone(), sessions, parking, redirect_uri));
        let login = self.client.authenticate_with_password(EmailAddress::new(email)?, Password::new(PASSWORD));
        let session = handlers.sessions().sign_in(login.send().await?)?;
        self.authkit.advance(Duration::from_secs(301));
        Ok((handlers, format!("{cookie}={}", session.expose_secret())))
    }
}

/// The status and the text of a page, and the cookies that it sets.
async fn ask(app: &Router, target: &str, cookies: &str) -> Outcome<(u16, String, Vec<String>)> {
    let request = http::Request::get(target).header("cookie", cookies).body(Body::empty())?;
    let (parts, body) = app.clone().oneshot(request).await?.into_parts();
    let text = String::from_utf8(axum::body::to_bytes(body, 10_000).await?.to_vec())?;
    let name = |line: &http::HeaderValue| line.to_str().unwrap().split('=').next().unwrap().to_owned();
    Ok((parts.status.as_u16(), text, parts.headers.get_all(SET_COOKIE).iter().map(name).collect()))
}

#[tokio::test]
async fn a_layer_that_is_there_twice_asks_once() -> Outcome {
    let site = LongAgo::start().await?;
    let (handlers, cookie) = site.handlers("session", ADA).await?;
    let app = handlers.app(Router::new().route("/", get(home))).layer(handlers.layer());
    site.authkit.inject(AUTHENTICATE, Fault::Status(500, None), usize::MAX);
    let before = site.authkit.requests_to(AUTHENTICATE);
    assert_eq!(ask(&app, "/", &cookie).await?.0, 503);
    assert_eq!(site.authkit.requests_to(AUTHENTICATE) - before, 1);
    site.authkit.heal();
    assert_eq!(ask(&app, "/", &cookie).await?, (200, ADA.to_owned(), vec!["session".to_owned()]));
    Ok(())
}

#[tokio::test]
async fn handlers_inside_of_others_have_sessions_of_their_own() -> Outcome {
    let site = LongAgo::start().await?;
    let (staff, linus) = site.handlers("staff", LINUS).await?;
    let (users, ada) = site.handlers("user", ADA).await?;
    let inner = Router::new().route("/staff", get(home)).layer(staff.layer());
    let app = users.app(Router::new().route("/", get(home)).merge(inner));
    let (both, names) = (format!("{ada}; {linus}"), |names: &[&str]| names.iter().map(ToString::to_string).collect());
    assert_eq!(ask(&app, "/", &both).await?, (200, ADA.to_owned(), names(&["user"])));
    assert_eq!(ask(&app, "/staff", &both).await?, (200, LINUS.to_owned(), names(&["staff", "user"])));
    assert_eq!(ask(&app, "/staff", &ada).await?, (200, NOBODY.to_owned(), names(&["user"])));
    assert_eq!(ask(&app, "/", &linus).await?, (200, NOBODY.to_owned(), names(&[])));
    Ok(())
}

#[tokio::test]
async fn a_guard_outside_of_the_layer_lets_nobody_in() -> Outcome {
    let site = LongAgo::start().await?;
    let (handlers, cookie) = site.handlers("session", ADA).await?;
    let app = handlers.app(Router::new().route("/", get(home)));
    let outside = app.clone().layer(require_permission("posts:write"));
    assert_eq!(ask(&app, "/", &cookie).await?.0, 200);
    for cookies in [&*cookie, ""] {
        let (status, text, cookies) = ask(&outside, "/", cookies).await?;
        assert_eq!((status, &*text), (500, "Something went wrong. Please try again later."));
        assert!(cookies.is_empty());
    }
    Ok(())
}

#[tokio::test]
async fn a_time_out_inside_of_the_layer_keeps_the_new_cookie() -> Outcome {
    async fn give_up(request: Request, next: Next) -> Response {
        let response = tokio::time::timeout(Duration::from_millis(200), next.run(request)).await;
        response.unwrap_or_else(|_| StatusCode::GATEWAY_TIMEOUT.into_response())
    }

    let site = LongAgo::start().await?;
    let (handlers, cookie) = site.handlers("session", ADA).await?;
    let slow = Router::new().route("/", get(async || tokio::time::sleep(Duration::from_secs(60)).await));
    let inside = handlers.app(slow.clone().layer(from_fn(give_up)));
    let outside = handlers.app(slow).layer(from_fn(give_up));
    let answer = |cookies: &[&str]| (504, String::new(), cookies.iter().map(ToString::to_string).collect());
    assert_eq!(ask(&outside, "/", &cookie).await?, answer(&[]), "why it belongs inside");
    assert_eq!(ask(&inside, "/", &cookie).await?, answer(&["session"]));
    Ok(())
}

#[tokio::test]
async fn a_webhook_ends_its_session() -> Outcome {
    const TARGET: &str = "/webhooks/workos";
    let site = LongAgo::start().await?;
    let sessions = SessionManager::new(site.client.clone(), MemorySessionStore::new());
    let login = site.client.authenticate_with_password(EmailAddress::new(ADA)?, Password::new(PASSWORD));
    let handle = sessions.sign_in(login.send().await?).await?;
    let session = sessions.authenticate(&handle).await.active()?.token().session_id().clone();

    let secret = WebhookSecret::new("secret-of-the-endpoint")?;
    let webhooks = || sessions.webhooks(format!("https://example.com{TARGET}"), secret.clone());
    let apply = || {
        let sessions = sessions.clone();
        async move |event| sessions.apply(&event).await
    };
    let app = Router::new()
        .route(TARGET, webhooks().route(apply()))
        .route("/short", webhooks().max_body_bytes(100).route(apply()))
        .route("/long", webhooks().max_body_bytes(10_000_000).route(apply()))
        .route("/failing", webhooks().route(async |_| Err::<(), _>(std::io::Error::other("no queue"))));
    let send = async |target: &str, signed: &http::Request<Bytes>, body: Bytes| {
        let mut request = http::Request::post(target).body(Body::from(body))?;
        request.headers_mut().clone_from(signed.headers());
        Outcome::Ok(app.clone().oneshot(request).await?.status().as_u16())
    };
    let request = site.authkit.revoke_session(&secret, session.as_str())?;
    let body = || request.body().clone();
    assert_eq!(app.clone().oneshot(http::Request::get(TARGET).body(Body::empty())?).await?.status(), 405);
    assert_eq!(send(TARGET, &http::Request::default(), body()).await?, 400, "no signature");
    assert_eq!(send(TARGET, &request, Bytes::from_static(b"{}")).await?, 400, "another body");
    assert_eq!(send("/short", &request, body()).await?, 413);
    assert_eq!(send("/failing", &request, body()).await?, 500);
    assert!(matches!(sessions.authenticate(&handle).await, SessionState::Active(_)), "nothing has happened yet");
    // Twice: the second time it is a repetition.
    for _ in 0..2 {
        assert_eq!(send(TARGET, &request, body()).await?, 200);
        assert!(matches!(sessions.authenticate(&handle).await, SessionState::SignedOut(_)));
    }
    // The limit is the one that was set, not that of axum's extractors.
    let large = site.authkit.webhook(&secret, "something.new", &json!({"text": "x".repeat(3_000_000)}))?;
    assert_eq!(send("/long", &large, large.body().clone()).await?, 200);
    assert_eq!(send(TARGET, &large, large.body().clone()).await?, 413);
    Ok(())
}
