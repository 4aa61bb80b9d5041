//! How the pages look: screenshots to be looked at, and what can be measured.

use serde_json::json;
use workos_auth::testing::Fault;

use crate::Outcome;
use crate::chromium::{Browser, Driver, same};
use crate::site::{AUTHENTICATE, Sessions, Site};

const MEASURE: &str = include_str!("measure.js");

/// Every page, wide and narrow, light and dark.
pub(crate) async fn every_page(driver: &Driver) -> Outcome {
    let site = Site::start(Sessions::Store).await?;
    let browser = driver.browser(&site).await?;
    browser.visit(&site.url("/")).await?;
    look(&browser, "home").await?;
    browser.visit(&site.url("/nowhere")).await?;
    look(&browser, "404").await?;
    browser.visit(&site.url("/callback?code=01E2&state=guessed")).await?;
    look(&browser, "forged_callback").await?;
    browser.visit(&site.url("/login?return_to=/account")).await?;
    browser.cancel_sign_in().await?;
    browser.sees("You did not sign in").await?;
    look(&browser, "refused_login").await?;

    browser.visit(&site.url("/account")).await?;
    browser.sign_in_as("ada@example.com").await?;
    browser.sees("Your account").await?;
    look(&browser, "account").await?;
    for page in ["organizations", "billing", ""] {
        browser.visit(&site.url(&format!("/{page}"))).await?;
        look(&browser, if page.is_empty() { "home_signed_in" } else { page }).await?;
    }
    site.let_tokens_expire();
    site.authkit.inject(AUTHENTICATE, Fault::Status(500, None), usize::MAX);
    browser.visit(&site.url("/billing")).await?;
    look(&browser, "503").await?;
    site.authkit.heal();
    browser.close().await?;

    let browser = driver.browser(&site).await?;
    browser.visit(&site.url("/billing")).await?;
    browser.sign_in_as("grace@example.com").await?;
    browser.sees("You may not see this page").await?;
    look(&browser, "403").await?;
    browser.close().await
}

/// Takes the screenshots of a page, and measures what a machine can: one main heading, names for all that can be used, contrast, and
/// no sideways scrolling at 320 pixels (WCAG 2.2, 1.4.3 and 1.4.10).
pub(crate) async fn look(browser: &Browser, name: &str) -> Outcome {
    let cdp = browser.driver.cdp();
    for scheme in ["light", "dark"] {
        let feature = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        cdp.send_raw("Emulation.setEmulatedMedia", feature).await?;
        for width in [1200, 360, 320] {
            cdp.emulation().set_device_metrics_override(width, 900, 1.0, width < 600).await?;
            let found = browser.run(MEASURE).await?;
            same(found.clone(), json!([]), &format!("{name}, {scheme}, {width} px"))?;
            if width != 320 {
                browser.screenshot(&format!("{name}-{width}-{scheme}")).await?;
            }
        }
    }
    cdp.emulation().clear_device_metrics_override().await?;
    same(browser.complaints().await?, Vec::new(), name)
}
