//! The program by real requests: each redirect is followed by hand, and cookies are kept in a jar.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::header::{HeaderMap, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use tokio::task::JoinSet;
use workos_auth::testing::{AuthKit, Browser, Endpoint, Fault, Skew, TestUser};

type Outcome<T = ()> = Result<T, Box<dyn StdError + Send + Sync>>;

const AUTHENTICATE: Endpoint = Endpoint::Authenticate;
const AUTHKIT_ORIGIN: &str = "https://auth.example.com";

struct Example {
    authkit: AuthKit,
    process: Child,
    origin: String,
    http: reqwest::Client,
}

impl Example {
    async fn start(sessions: &str) -> Outcome<Self> {
        let ada = TestUser::new("ada@example.com").organization("org_one").organization("org_two");
        let ada = ada.name("<script>alert(1)</script>", "\"&'");
        let authkit = AuthKit::builder().user(ada).start().await?;
        let mut process = Command::new(env!("CARGO_BIN_EXE_axum_app"))
            .env("LISTEN", "127.0.0.1:0")
            .env("SESSIONS", sessions)
            .env("AUTHKIT_ORIGIN", AUTHKIT_ORIGIN)
            .env("WORKOS_CLIENT_ID", authkit.client_id())
            .env("WORKOS_API_KEY", authkit.api_key())
            .env("WORKOS_BASE_URL", authkit.base_url())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(process.stdout.take().ok_or("no stdout")?).read_line(&mut line)?;
        let origin = line.trim().strip_prefix("Open ").ok_or("no address")?.trim_end_matches('/').to_owned();
        let http = reqwest::Client::builder().redirect(Policy::none()).no_proxy().build()?;
        Ok(Self { authkit, process, origin, http })
    }

    fn requests(&self) -> usize {
        self.authkit.requests_to(AUTHENTICATE)
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

struct Page {
    status: u16,
    headers: HeaderMap,
    text: String,
}

impl Page {
    fn location(&self) -> &str {
        self.headers.get(LOCATION).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    fn set_cookies(&self) -> Vec<&str> {
        self.headers.get_all(SET_COOKIE).iter().map(|value| value.to_str().unwrap()).collect()
    }

    /// The text of the element with this ID, as it is written in HTML.
    fn shows(&self, id: &str) -> &str {
        let element = self.text.split_once(&format!(" id=\"{id}\">")).map_or("", |(_, element)| element);
        element
            .split_once("</dd>")
            .map_or("", |(text, _)| text)
            .trim_start_matches("<code>")
            .trim_end_matches("</code>")
    }

    /// What every page that depends on a cookie says to caches.
    fn is_private(&self) -> bool {
        self.headers.get("cache-control").is_some_and(|value| value == "no-store")
            && self.headers.get("vary").is_some_and(|value| value == "Cookie")
    }
}

/// A browser of its own user.
#[derive(Clone, Default)]
struct Jar(BTreeMap<String, String>);

impl Jar {
    fn take(&mut self, page: &Page) {
        for cookie in page.set_cookies() {
            let (pair, attributes) = cookie.split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            for attribute in ["HttpOnly", "SameSite=Lax", "Path=/"] {
                assert!(attributes.contains(attribute), "{name} lacks {attribute}");
            }
            if attributes.contains("Max-Age=0") {
                self.0.remove(name);
            } else {
                self.0.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    async fn ask(&mut self, app: &Example, method: &str, target: &str, form: &'static str) -> Outcome<Page> {
        let url = if target.starts_with("http://") { target.to_owned() } else { format!("{}{target}", app.origin) };
        assert!(url.starts_with(&app.origin), "cookies are for {} only", app.origin);
        let cookies: Vec<String> = self.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut request = app.http.request(method.parse()?, url).header("accept", "text/html").body(form);
        if !cookies.is_empty() {
            // Whatever else the browser has must not be in the way.
            let header = format!("name=José; {}", cookies.join("; "));
            request = request.header("cookie", reqwest::header::HeaderValue::from_bytes(header.as_bytes())?);
        }
        let reply = request.send().await?;
        let (status, headers) = (reply.status().as_u16(), reply.headers().clone());
        let page = Page { status, headers, text: reply.text().await? };
        self.take(&page);
        Ok(page)
    }

    async fn get(&mut self, app: &Example, target: &str) -> Outcome<Page> {
        self.ask(app, "GET", target, "").await
    }

    async fn post(&mut self, app: &Example, target: &str) -> Outcome<Page> {
        self.ask(app, "POST", target, "").await
    }

    async fn switch(&mut self, app: &Example, form: &'static str) -> Outcome<Page> {
        self.ask(app, "POST", "/switch-organization", form).await
    }

    /// From the login to the page behind it, and back with that page's path.
    async fn log_in(&mut self, app: &Example, login: &str) -> Outcome<String> {
        let begun = self.get(app, login).await?;
        assert_eq!(begun.status, 302);
        assert!(begun.is_private());
        let callback = Browser::new()?.sign_in(begun.location(), "ada@example.com").await?;
        let finished = self.get(app, &callback).await?;
        assert_eq!(finished.status, 303, "{}", finished.text);
        assert!(finished.is_private());
        assert!(self.0.keys().all(|name| !name.starts_with("workos-login-")), "the login's cookie is cleared");
        Ok(finished.location().to_owned())
    }

    /// Logs in with a token whose time is over at once.
    async fn log_in_long_ago(&mut self, app: &Example) -> Outcome {
        app.authkit.set_skew(Skew::Behind(Duration::from_secs(400)));
        self.log_in(app, "/login").await?;
        app.authkit.set_skew(Skew::NONE);
        Ok(())
    }
}

async fn everything(sessions: &str, cookie: &str) -> Outcome {
    let app = Example::start(sessions).await?;

    // Nobody is signed in.
    let mut jar = Jar::default();
    assert_eq!(jar.get(&app, "/").await?.status, 200);
    let refused = jar.get(&app, "/account").await?;
    assert_eq!((refused.status, refused.location()), (303, "/login?return_to=/account"));
    assert!(refused.is_private() && refused.set_cookies().is_empty());

    // A login, and the page it is for.
    assert_eq!(jar.log_in(&app, "/login?return_to=/account").await?, "/account");
    assert_eq!(jar.0.keys().collect::<Vec<_>>(), [cookie]);
    let account = jar.get(&app, "/account").await?;
    assert!(account.status == 200 && account.is_private());
    assert_eq!(
        (account.shows("email"), account.shows("organization")),
        ("ada@example.com", "org_one"),
        "{}",
        account.text
    );
    // What a user chose as a name is a text, whatever is in it.
    assert_eq!(account.shows("name"), "&lt;script&gt;alert(1)&lt;/script&gt; &quot;&amp;'", "{}", account.text);
    assert!(account.set_cookies().is_empty());

    // Another organization, and one that the user isn't a member of.
    let switched = jar.switch(&app, "organization_id=org_two&return_to=/account").await?;
    assert_eq!((switched.status, switched.location()), (303, "/account"));
    assert_eq!(jar.get(&app, "/account").await?.shows("organization"), "org_two");
    assert_eq!(jar.switch(&app, "organization_id=org_three").await?.status, 403);
    assert_eq!(jar.get(&app, "/account").await?.shows("organization"), "org_two", "the session is as it was");

    // A new login is a new session: the old cookie's value is worth nothing to the attacker who planted it.
    let before = jar.clone();
    jar.log_in(&app, "/login").await?;
    assert_ne!(jar.0[cookie], before.0[cookie]);

    tampered(&app, &jar, cookie).await?;
    forged(&app, &jar).await?;
    open_redirects(&app).await?;
    refreshes(&app, cookie).await?;
    outages(&app, cookie).await?;

    // Signing out, which no link can do.
    assert_eq!(jar.get(&app, "/logout").await?.status, 405);
    let copy = jar.clone();
    let logged_out = jar.post(&app, "/logout").await?;
    assert!(logged_out.status == 303 && logged_out.is_private());
    let expected = format!("{}/user_management/sessions/logout?session_id=session_", app.authkit.base_url());
    assert!(logged_out.location().starts_with(&expected), "{}", logged_out.location());
    // WorkOS sends the browser back.
    let left = app.http.get(logged_out.location()).send().await?;
    assert_eq!(left.headers()[LOCATION], format!("{}/", app.origin));
    assert!(jar.0.is_empty(), "the cookie is cleared");
    assert_eq!(jar.get(&app, "/account").await?.status, 303);
    let replayed = copy.clone().get(&app, "/account").await?;
    assert_eq!(
        replayed.status, 303,
        "the session is gone, also for holders of its cookie; without a store, in this process"
    );
    if sessions != "cookie" {
        assert!(replayed.set_cookies().is_empty(), "a new login may have set the cookie in between");
    }
    // Once more, without anything left.
    let again = jar.post(&app, "/logout").await?;
    assert_eq!((again.status, again.location()), (303, &*format!("{}/", app.origin)));
    assert!(again.set_cookies().is_empty(), "a request from another site comes without the cookie, and clears none");
    Ok(())
}

async fn tampered(app: &Example, jar: &Jar, cookie: &str) -> Outcome {
    let value = &jar.0[cookie];
    let flipped = |at: usize| {
        let old = &value[at..=at];
        format!("{}{}{}", &value[..at], if old == "A" { "B" } else { "A" }, &value[at + 1..])
    };
    for value in [flipped(value.len() / 2), flipped(3), value[..20].to_owned(), "x".repeat(5_000), String::new()] {
        let mut other = jar.clone();
        other.0.insert(cookie.to_owned(), value.clone());
        let page = other.get(app, "/account").await?;
        assert_eq!(page.status, 303, "{value}");
        assert!(!other.0.contains_key(cookie), "what is worth nothing is cleared: {value}");
    }
    Ok(())
}

async fn forged(app: &Example, jar: &Jar) -> Outcome {
    let before = app.requests();
    // A callback that nobody here asked for signs nobody in or out.
    let mut victim = jar.clone();
    for callback in
        ["/callback", "/callback?code=01E2", "/callback?code=01E2&state=guessed", "/callback?error=access_denied"]
    {
        let page = victim.get(app, callback).await?;
        assert_eq!(page.status, 400, "{callback}");
        assert!(page.set_cookies().is_empty());
    }
    // Neither does the callback of somebody else's login.
    let mut attacker = Jar::default();
    let begun = attacker.get(app, "/login").await?;
    let callback = Browser::new()?.sign_in(begun.location(), "ada@example.com").await?;
    assert_eq!(victim.get(app, &callback).await?.status, 400);
    assert_eq!(victim.0, jar.0);
    assert_eq!(app.requests(), before, "nothing was sent");

    // Two logins in two tabs, and a forged callback between them: both go on.
    let mut tabs = Jar::default();
    let (first, second) =
        (tabs.get(app, "/login?return_to=/one").await?, tabs.get(app, "/login?return_to=/two").await?);
    assert_eq!(tabs.get(app, "/callback?code=01E2&state=guessed").await?.status, 400);
    for (begun, path) in [(second, "/two"), (first, "/one")] {
        let callback = Browser::new()?.sign_in(begun.location(), "ada@example.com").await?;
        let finished = tabs.get(app, &callback).await?;
        assert_eq!((finished.status, finished.location()), (303, path));
        assert_eq!(tabs.clone().get(app, &callback).await?.status, 400, "a callback is good once");
    }
    Ok(())
}

async fn open_redirects(app: &Example) -> Outcome {
    let targets = [
        "https://evil.example/",
        "//evil.example/",
        "/%5Cevil.example",
        "%5C%5Cevil.example",
        "/%09/evil.example",
        "javascript:alert(1)",
        "/%2F/evil.example",
        "http:evil.example",
        "%20//evil.example",
        "/%0D%0ALocation:https://evil.example",
    ];
    for target in targets {
        let location = Jar::default().log_in(app, &format!("/login?return_to={target}")).await?;
        let goes = reqwest::Url::parse(&app.origin)?.join(&location)?;
        assert!(goes.as_str().starts_with(&format!("{}/", app.origin)), "{target} leads to {goes}");
        assert!(!location.contains("evil") || location.starts_with("/%"), "{target} leads to {location}");
    }
    Ok(())
}

async fn refreshes(app: &Example, cookie: &str) -> Outcome {
    // Twenty requests at once, and each browser tab takes what it gets.
    let mut jar = Jar::default();
    jar.log_in_long_ago(app).await?;
    let (before, old) = (app.requests(), jar.0[cookie].clone());
    let mut requests = JoinSet::new();
    for _ in 0..20 {
        let (http, origin, old, name) = (app.http.clone(), app.origin.clone(), old.clone(), cookie.to_owned());
        requests.spawn(async move {
            let reply = http.get(format!("{origin}/account")).header("cookie", format!("{name}={old}")).send().await?;
            Outcome::Ok((reply.status().as_u16(), reply.headers().clone()))
        });
    }
    for reply in requests.join_all().await {
        let (status, headers) = reply?;
        assert_eq!(status, 200);
        jar.take(&Page { status, headers, text: String::new() });
    }
    assert_eq!(app.requests() - before, 1, "one refresh for all of them");
    assert_eq!(jar.0[cookie] == old, cookie == "workos-session", "a sealed cookie is new, a handle stays");
    assert_eq!(jar.get(app, "/account").await?.status, 200);
    assert_eq!(app.requests() - before, 1);
    Ok(())
}

async fn outages(app: &Example, cookie: &str) -> Outcome {
    let mut jar = Jar::default();
    jar.log_in_long_ago(app).await?;
    app.authkit.inject_for(AUTHENTICATE, Fault::Status(500, None), Duration::from_secs(3600));
    let before = jar.0.clone();
    let page = jar.get(app, "/account").await?;
    assert_eq!(page.status, 503);
    assert_eq!(jar.0, before, "the cookie is kept");
    assert_eq!(jar.get(app, "/").await?.status, 503, "a page without its user would look like a sign-out");
    let page = jar.get(app, "/account?tab=2&x=%C3%A9").await?;
    assert!(page.text.contains("href=\"/account?tab=2&amp;x=%C3%A9\">Try again"), "{}", page.text);
    app.authkit.heal();
    assert_eq!(jar.get(app, "/account").await?.status, 200);

    // What WorkOS has ended is over.
    let mut jar = Jar::default();
    jar.log_in_long_ago(app).await?;
    let session_id = {
        let logged_out = jar.clone().post(app, "/logout").await?;
        let query = logged_out.location().split_once("session_id=").ok_or("no session")?.1;
        query.split('&').next().unwrap_or_default().to_owned()
    };
    app.authkit.end_session(&session_id);
    assert_eq!(jar.get(app, "/account").await?.status, 303);
    // In the store it was removed a moment ago, and its cookie may be a new login's by now.
    assert_eq!(jar.0.is_empty(), cookie != "workos-session");
    Ok(())
}

#[tokio::test]
async fn sessions_in_a_store() -> Outcome {
    everything("memory", "workos-session").await
}

#[tokio::test]
async fn sessions_in_a_cookie() -> Outcome {
    everything("cookie", "wos-session").await
}

#[tokio::test]
async fn every_response_says_what_browsers_may_do() -> Outcome {
    let app = Example::start("memory").await?;
    let policy = format!(
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self' {} {AUTHKIT_ORIGIN}; base-uri 'none'; \
         frame-ancestors 'none'",
        app.authkit.base_url()
    );
    for (target, status) in
        [("/", 200), ("/account", 303), ("/nowhere", 404), ("/callback", 400), ("/logout", 405), ("/style.css", 200)]
    {
        let page = Jar::default().get(&app, target).await?;
        assert_eq!(page.status, status, "{target}");
        assert_eq!(page.headers["content-security-policy"], policy, "{target}");
        assert_eq!(page.headers["x-content-type-options"], "nosniff", "{target}");
        assert_eq!(page.headers["referrer-policy"], "same-origin", "{target}");
        if status >= 400 {
            assert_eq!(page.headers["content-type"], "text/html; charset=utf-8", "{target}");
            assert!(page.text.contains("<h1>"), "{target}");
        }
    }
    assert_eq!(Jar::default().get(&app, "/logout").await?.headers["allow"], "POST", "the error page keeps the headers");
    // A program gets no page.
    let reply = app.http.get(format!("{}/account", app.origin)).header("accept", "application/json").send().await?;
    assert_eq!(reply.status().as_u16(), 401);
    assert_eq!(reply.headers()["content-type"], "text/plain; charset=utf-8");
    Ok(())
}

#[cfg(unix)]
#[tokio::test]
async fn a_process_that_is_asked_to_end_finishes_what_is_under_way() -> Outcome {
    const REPLY: Duration = Duration::from_secs(2);
    let mut app = Example::start("memory").await?;
    let mut jar = Jar::default();
    jar.log_in_long_ago(&app).await?;
    app.authkit.inject(AUTHENTICATE, Fault::Slow(REPLY), 1);
    // The browser hangs up during the refresh.
    assert!(tokio::time::timeout(REPLY / 4, jar.get(&app, "/account")).await.is_err());
    let began = Instant::now();
    assert!(Command::new("kill").args(["-TERM", &app.process.id().to_string()]).status()?.success());
    let status = loop {
        match app.process.try_wait()? {
            Some(status) => break status,
            None if began.elapsed() > REPLY * 10 => return Err("it goes on".into()),
            None => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    };
    assert!(status.success(), "{status}");
    assert!(began.elapsed() > REPLY / 2, "it has waited for the reply");
    Ok(())
}

#[tokio::test]
async fn people_who_can_sign_in_are_listed() -> Outcome {
    let mut process = Command::new(env!("CARGO_BIN_EXE_axum_app"))
        .env("LISTEN", "127.0.0.1:0")
        .env_remove("WORKOS_CLIENT_ID")
        .env_remove("ORIGIN")
        .env_remove("SESSIONS")
        .stdout(Stdio::piped())
        .spawn()?;
    let lines = BufReader::new(process.stdout.take().ok_or("no output")?).lines();
    let mut listed = Vec::new();
    let mut origin = None;
    for line in lines {
        let line = line?;
        if let Some(found) = line.strip_prefix("Open ") {
            origin = Some(found.to_owned());
            break;
        }
        listed.extend(line.strip_prefix("  ").and_then(|line| line.split(' ').next()).map(str::to_owned));
    }
    let home = reqwest::get(origin.ok_or("no address")?).await?.text().await;
    process.kill()?;
    process.wait()?;
    let home = home?;
    assert_eq!(listed, ["ada@example.com", "grace@example.com", "alan@example.com", "margaret@example.com"]);
    for person in listed {
        assert!(home.contains(&format!("<strong>{person}</strong>")), "{home}");
    }
    Ok(())
}
