//! The program by real requests: each redirect is followed by hand, and cookies are kept in a jar.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use reqwest::header::{HeaderMap, LOCATION, SET_COOKIE};
use reqwest::redirect::Policy;
use workos_auth::testing::{AuthKit, Browser, TestUser};

type Outcome<T = ()> = Result<T, Box<dyn StdError + Send + Sync>>;

struct Program {
    process: Child,
    origin: String,
    http: reqwest::Client,
    cookies: BTreeMap<String, String>,
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
}

impl Program {
    fn start(authkit: &AuthKit) -> Outcome<Self> {
        let mut process = Command::new(env!("CARGO_BIN_EXE_actix_app"))
            .env("LISTEN", "127.0.0.1:0")
            .env("WORKOS_CLIENT_ID", authkit.client_id())
            .env("WORKOS_API_KEY", authkit.api_key())
            .env("WORKOS_BASE_URL", authkit.base_url())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(process.stdout.take().ok_or("no output")?).read_line(&mut line)?;
        let origin = line.trim().strip_prefix("Open ").ok_or("no address")?.trim_end_matches('/').to_owned();
        let http = reqwest::Client::builder().redirect(Policy::none()).no_proxy().build()?;
        Ok(Self { process, origin, http, cookies: BTreeMap::new() })
    }

    async fn ask(&mut self, method: &str, target: &str, headers: &[(&str, &str)], form: &'static str) -> Outcome<Page> {
        let url = if target.starts_with("http://") { target.to_owned() } else { format!("{}{target}", self.origin) };
        assert!(url.starts_with(&self.origin), "cookies are for {} only", self.origin);
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut request = self.http.request(method.parse()?, url).header("accept", "text/html").body(form);
        request = request.header("cookie", cookies.join("; "));
        if method == "POST" {
            request = request.header("content-type", "application/x-www-form-urlencoded");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let reply = request.send().await?;
        let (status, headers) = (reply.status().as_u16(), reply.headers().clone());
        for cookie in headers.get_all(SET_COOKIE) {
            let (pair, attributes) = cookie.to_str()?.split_once(';').ok_or("no attributes")?;
            let (name, value) = pair.split_once('=').ok_or("no value")?;
            assert!(attributes.contains("HttpOnly") && attributes.contains("SameSite=Lax"), "{attributes}");
            self.cookies.insert(name.to_owned(), value.to_owned());
            if attributes.contains("Max-Age=0") {
                self.cookies.remove(name);
            }
        }
        Ok(Page { status, headers, text: reply.text().await? })
    }

    async fn get(&mut self, target: &str) -> Outcome<Page> {
        self.ask("GET", target, &[], "").await
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

#[tokio::test]
async fn a_user_signs_in_switches_and_signs_out() -> Outcome {
    let ada = TestUser::new("ada@example.com").name("Ada", "Lovelace").organization("org_one").organization("org_two");
    let authkit = AuthKit::builder().user(ada).start().await?;
    let mut program = Program::start(&authkit)?;

    // Nobody is signed in.
    let refused = program.get("/").await?;
    assert_eq!((refused.status, refused.location()), (303, "/login"));
    assert_eq!(refused.headers["cache-control"], "no-store");

    // A login. Its two cookies come through: one is set, one is cleared.
    let begun = program.get("/login").await?;
    assert_eq!(begun.status, 302);
    let login: Vec<_> = program.cookies.keys().cloned().collect();
    assert!(matches!(&login[..], [login] if login.starts_with("workos-login-")), "{login:?}");
    let callback = Browser::new()?.sign_in(begun.location(), "ada@example.com").await?;
    let finished = program.get(&callback).await?;
    assert_eq!((finished.status, finished.location()), (303, "/"));
    assert_eq!(finished.headers.get_all(SET_COOKIE).iter().count(), 2);
    assert_eq!(program.cookies.keys().collect::<Vec<_>>(), ["workos-session"]);
    let account = program.get("/").await?;
    assert_eq!((account.status, account.headers["cache-control"].to_str()?), (200, "no-store"));
    assert!(account.text.contains("ada@example.com in org_one"), "{}", account.text);
    assert_eq!(program.get(&callback).await?.status, 400, "a callback is good once");

    // Another organization; one that the user isn't a member of; and what is none.
    for (form, status) in
        [("organization_id=org_two", 200), ("organization_id=org_three", 403), ("organization_id=..", 400), ("", 400)]
    {
        let switched = program.ask("POST", "/switch-organization", &[], form).await?;
        assert_eq!(switched.status, status, "{form}: {}", switched.text);
        assert!(program.get("/").await?.text.contains("in org_two"));
    }

    // A page of another origin can do none of this.
    for (target, form) in [("/logout", ""), ("/switch-organization", "organization_id=org_one")] {
        for header in [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")] {
            assert_eq!(program.ask("POST", target, &[header], form).await?.status, 403, "{target} {header:?}");
        }
        assert_ne!(program.get(target).await?.status, 200);
    }
    assert!(program.get("/").await?.text.contains("in org_two"));

    let logged_out = program.ask("POST", "/logout", &[], "").await?;
    assert_eq!(logged_out.status, 303);
    assert!(logged_out.location().starts_with(&format!("{}/user_management/sessions/logout", authkit.base_url())));
    assert!(program.cookies.is_empty(), "the cookie is cleared");
    assert_eq!(program.get("/").await?.status, 303);
    Ok(())
}
