//! Chromium, driven from outside.

use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use thirtyfour::prelude::*;
use thirtyfour::{ChromeCapabilities, LoggingPrefsLogLevel};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use crate::Outcome;
use crate::site::Site;

/// How long a page may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Debian's `chromedriver`, which starts a Chromium for each case.
#[derive(Clone)]
pub(crate) struct Driver(Arc<Inner>);

struct Inner {
    address: String,
    folder: PathBuf,
    browsers: AtomicUsize,
    /// Killed when the last case is over.
    _process: Child,
}

impl Drop for Inner {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

impl Driver {
    pub(crate) async fn start() -> Outcome<Self> {
        let mut process = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("chromedriver: {error}"))?;
        let mut lines = BufReader::new(process.stdout.take().ok_or("no output")?).lines();
        let port = loop {
            let line = timeout(PATIENCE, lines.next_line()).await??.ok_or("chromedriver ended")?;
            if let Some((_, port)) = line.split_once("started successfully on port ") {
                break port.trim_end_matches('.').parse::<u16>()?;
            }
        };
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let folder = std::env::temp_dir().join(format!("axum_app-browser-{}", std::process::id()));
        let address = format!("http://127.0.0.1:{port}");
        Ok(Self(Arc::new(Inner { address, folder, browsers: AtomicUsize::new(0), _process: process })))
    }

    /// A browser that has never been anywhere, and that trusts the site's certificate.
    pub(crate) async fn browser(&self, site: &Site) -> Outcome<Browser> {
        let number = self.0.browsers.fetch_add(1, Ordering::Relaxed);
        let profile = self.0.folder.join(number.to_string());
        let mut chromium = ChromeCapabilities::new();
        chromium.set_binary("/usr/bin/chromium")?;
        chromium.set_browser_log_level(LoggingPrefsLogLevel::All)?;
        for argument in [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--no-proxy-server",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            // All tabs work, also those that nobody looks at.
            "--disable-renderer-backgrounding",
            "--host-resolver-rules=MAP *.test 127.0.0.1",
            &format!("--user-data-dir={}", profile.display()),
            &format!("--ignore-certificate-errors-spki-list={}", site.certificate_hash()),
        ] {
            chromium.add_arg(argument)?;
        }
        let driver = WebDriver::new(&self.0.address, chromium).await?;
        driver.set_page_load_timeout(PATIENCE).await?;
        Ok(Browser { driver })
    }
}

/// A browser with a user in front of it. Dropping it closes it.
pub(crate) struct Browser {
    pub(crate) driver: WebDriver,
}

/// A cookie as the browser keeps it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Kept {
    pub(crate) name: String,
    pub(crate) value: String,
    /// With a dot in front for cookies that other hosts get too.
    pub(crate) domain: String,
    pub(crate) attributes: String,
}

impl Browser {
    pub(crate) async fn visit(&self, url: &str) -> Outcome {
        Ok(self.driver.goto(url).await?)
    }

    pub(crate) async fn url(&self) -> Outcome<String> {
        Ok(self.driver.current_url().await?.to_string())
    }

    /// The page's main heading.
    pub(crate) async fn heading(&self) -> Outcome<String> {
        Ok(self.driver.find(By::Tag("h1")).await?.text().await?)
    }

    /// Waits for a page with this main heading.
    pub(crate) async fn sees(&self, heading: &str) -> Outcome {
        self.eventually(&format!("a page “{heading}”"), async || {
            Ok(self.heading().await.is_ok_and(|found| found == heading))
        })
        .await
    }

    /// Whether the page shows this text anywhere.
    pub(crate) async fn shows(&self, text: &str) -> Outcome<bool> {
        Ok(self.text().await?.contains(text))
    }

    pub(crate) async fn text(&self) -> Outcome<String> {
        Ok(self.driver.find(By::Tag("body")).await?.text().await?)
    }

    /// The text of the element with this ID.
    pub(crate) async fn reads(&self, id: &str) -> Outcome<String> {
        Ok(self.driver.find(By::Id(id)).await?.text().await?)
    }

    /// The HTTP status of the page.
    pub(crate) async fn status(&self) -> Outcome<u64> {
        let status = self.run("return performance.getEntriesByType('navigation')[0].responseStatus").await?;
        status.as_u64().ok_or_else(|| "no status".into())
    }

    pub(crate) async fn press(&self, button: &str) -> Outcome {
        let path = format!("//button[normalize-space()={0} or @aria-label={0}]", quoted(button));
        Ok(self.appears(By::XPath(path)).await?.click().await?)
    }

    pub(crate) async fn follow(&self, link: &str) -> Outcome {
        let path = format!("//a[normalize-space()={}]", quoted(link));
        Ok(self.appears(By::XPath(path)).await?.click().await?)
    }

    /// Writes into the field with this label.
    pub(crate) async fn fill(&self, label: &str, text: &str) -> Outcome {
        let named = format!("//label[starts-with(normalize-space(), {})]", quoted(label));
        let field = self.appears(By::XPath(format!("{named}//input | //input[@id = {named}/@for]"))).await?;
        field.clear().await?;
        Ok(field.send_keys(text).await?)
    }

    pub(crate) async fn appears(&self, by: By) -> Outcome<WebElement> {
        let started = Instant::now();
        loop {
            match self.driver.find(by.clone()).await {
                Ok(element) => return Ok(element),
                Err(_) if started.elapsed() < PATIENCE => sleep(Duration::from_millis(50)).await,
                Err(_) => return Err(format!("{by:?} isn't at {}: {}", self.url().await?, self.text().await?).into()),
            }
        }
    }

    pub(crate) async fn eventually(&self, what: &str, is_so: impl AsyncFn() -> Outcome<bool>) -> Outcome {
        let started = Instant::now();
        while !is_so().await? {
            if started.elapsed() > PATIENCE {
                return Err(format!("{what} doesn't come; at {}: {}", self.url().await?, self.text().await?).into());
            }
            sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// Runs a script in the page, as the site's own or an attacker's would.
    pub(crate) async fn run(&self, script: &str) -> Outcome<Value> {
        Ok(self.driver.execute(script, Vec::new()).await?.json().clone())
    }

    /// All cookies of the browser.
    pub(crate) async fn cookies(&self) -> Outcome<Vec<Kept>> {
        let all = self.driver.cdp().send_raw("Network.getAllCookies", json!({})).await?;
        let text = |cookie: &Value, name: &str| cookie[name].as_str().unwrap_or_default().to_owned();
        let attributes = |cookie: &Value| {
            let flag = |name: &str| if cookie[name] == true { format!("{name} ") } else { String::new() };
            format!("{}{}{} {}", flag("secure"), flag("httpOnly"), text(cookie, "sameSite"), text(cookie, "path"))
        };
        let cookies = all["cookies"].as_array().ok_or("no cookies")?.iter();
        let kept = cookies.map(|cookie| Kept {
            name: text(cookie, "name"),
            value: text(cookie, "value"),
            domain: text(cookie, "domain"),
            attributes: attributes(cookie),
        });
        Ok(kept.collect())
    }

    /// The session cookie, if there is one.
    pub(crate) async fn cookie(&self, name: &str) -> Outcome<Option<Kept>> {
        Ok(self.cookies().await?.into_iter().find(|cookie| cookie.name == name))
    }

    /// Changes a cookie's value, as somebody who sits at the browser can.
    pub(crate) async fn set_cookie(&self, url: &str, cookie: &Kept) -> Outcome {
        let cookie = json!({
            "url": url, "name": cookie.name, "value": cookie.value, "path": "/", "secure": true, "httpOnly": true,
            "sameSite": "Lax",
        });
        let set = self.driver.cdp().send_raw("Network.setCookie", cookie).await?;
        if set["success"] == true { Ok(()) } else { Err("the browser refuses the cookie".into()) }
    }

    pub(crate) async fn forget_cookies(&self) -> Outcome {
        self.driver.cdp().send_raw("Network.clearBrowserCookies", json!({})).await?;
        Ok(())
    }

    /// What the browser complained about since the last call, such as a violated Content-Security-Policy.
    pub(crate) async fn complaints(&self) -> Outcome<Vec<String>> {
        let log = self.driver.browser_log().await?;
        // Pages with an error status are logged as failed resources.
        let severe =
            log.into_iter().filter(|entry| entry.level == "SEVERE" && entry.source.as_deref() != Some("network"));
        Ok(severe.map(|entry| entry.message).collect())
    }

    pub(crate) async fn screenshot(&self, name: &str) -> Outcome {
        let folder =
            Path::new(option_env!("CARGO_TARGET_DIR").unwrap_or(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target")));
        let folder = folder.join("screenshots");
        std::fs::create_dir_all(&folder)?;
        Ok(self.driver.screenshot(&folder.join(format!("{name}.png"))).await?)
    }

    pub(crate) async fn close(self) -> Outcome {
        Ok(self.driver.quit().await?)
    }
}

/// A text for a path expression, which has no escapes.
fn quoted(text: &str) -> String {
    if text.contains('\'') { format!("\"{text}\"") } else { format!("'{text}'") }
}

/// Fails with both values, inside functions that give an [`Outcome`].
pub(crate) fn same<T: PartialEq + Debug>(found: T, expected: T, what: &str) -> Outcome {
    if found == expected { Ok(()) } else { Err(format!("{what}: {found:?} instead of {expected:?}").into()) }
}
