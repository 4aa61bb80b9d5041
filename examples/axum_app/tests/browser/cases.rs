//! What users do and what attackers try.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use thirtyfour::By;
use workos_auth::testing::{self, Fault};

use crate::Outcome;
use crate::chromium::{Browser, Driver, Kept, same};
use crate::looks;
use crate::site::{AUTHENTICATE, Changes, SIBLING, STRANGER, Sessions, Site};

type Case = fn(Driver) -> Pin<Box<dyn Future<Output = Outcome>>>;

macro_rules! cases {
    ($($case:path $(, $sessions:ident)?;)*) => {
        pub(crate) fn all() -> Vec<(&'static str, Case)> {
            vec![$((
                concat!(stringify!($case), $(" with sessions in ", stringify!($sessions))?),
                |driver| Box::pin(async move { $case(&driver $(, Sessions::$sessions)?).await }),
            )),*]
        }
    };
}

cases! {
    sign_in, Store;
    sign_in, Cookies;
    refresh_on_navigation, Store;
    refresh_on_navigation, Cookies;
    ten_tabs_with_an_expired_token, Store;
    ten_tabs_with_an_expired_token, Cookies;
    tampered_cookie, Store;
    tampered_cookie, Cookies;
    planted_look_alike, Store;
    planted_look_alike, Cookies;
    back_after_sign_out, Store;
    back_after_sign_out, Cookies;
    forged_callback, Store;
    refused_login, Store;
    forms_of_other_sites, Store;
    forms_of_other_sites, Cookies;
    second_factor, Store;
    permission, Store;
    organization_switch, Store;
    organization_switch, Cookies;
    impersonation, Store;
    outage, Store;
    outage, Cookies;
    looks::every_page;
}

/// A browser in which a user is signed in, at the account page.
async fn signed_in(driver: &Driver, site: &Site, email: &str) -> Outcome<Browser> {
    let browser = driver.browser(site).await?;
    browser.visit(&site.url("/account")).await?;
    browser.sign_in_as(email).await?;
    browser.sees("Your account").await?;
    same(browser.reads("email").await?, email.to_owned(), "the user")?;
    Ok(browser)
}

/// Asks for the account page, and expects the login.
async fn is_signed_out(browser: &Browser, site: &Site) -> Outcome {
    browser.visit(&site.url("/account")).await?;
    browser.is_asked_who_it_is().await
}

async fn sign_in(driver: &Driver, sessions: Sessions) -> Outcome {
    let site = Site::start(sessions).await?;
    let browser = driver.browser(&site).await?;
    browser.visit(&site.url("/")).await?;
    same(browser.cookies().await?, Vec::new(), "cookies before a login")?;
    // The page that the user wanted, after a login on the way.
    browser.follow("Organizations").await?;
    browser.is_asked_who_it_is().await?;
    let [login] = &browser.cookies().await?[..] else { return Err("there is one login".into()) };
    assert!(login.name.starts_with("__Host-workos-login-"), "{login:?}");
    same(&*login.attributes, "secure httpOnly Lax /", "the login's cookie")?;
    browser.sign_in_as("ada@example.com").await?;
    browser.sees("Your organizations").await?;
    same(browser.url().await?, site.url("/organizations"), "the address")?;

    let [session] = &browser.cookies().await?[..] else { return Err("there is one session".into()) };
    same(&*session.name, site.session_cookie(), "the name")?;
    same(&*session.attributes, "secure httpOnly Lax /", "the session's cookie")?;
    same(&*session.domain, crate::site::HOST, "only this host gets it")?;
    same(browser.run("return document.cookie").await?, "".into(), "what scripts see of it")?;

    browser.follow("Account").await?;
    browser.sees("Your account").await?;
    for (id, text) in [
        ("name", "Ada Lovelace"),
        ("email", "ada@example.com"),
        ("method", "Password"),
        ("organization", "org_lighthouse"),
        ("roles", "admin"),
        ("permissions", "billing:manage\nposts:write"),
    ] {
        same(&*browser.reads(id).await?, text, id)?;
    }
    same(site.token_requests(), 1, "one code was exchanged")?;

    browser.press("Sign out").await?;
    browser.eventually("the end of the session at WorkOS", async || browser.shows("You are signed out").await).await?;
    same(browser.cookies().await?, Vec::new(), "cookies after a sign-out")?;
    is_signed_out(&browser, &site).await?;
    same(browser.complaints().await?, Vec::new(), "the browser's complaints")?;
    browser.close().await
}

async fn refresh_on_navigation(driver: &Driver, sessions: Sessions) -> Outcome {
    let site = Site::start(sessions).await?;
    let browser = signed_in(driver, &site, "ada@example.com").await?;
    let before = browser.cookie(site.session_cookie()).await?;
    let expiry = browser.reads("expiry").await?;
    for _ in 0..2 {
        let requests = site.token_requests();
        site.let_tokens_expire();
        browser.follow("Organizations").await?;
        browser.sees("Your organizations").await?;
        same(browser.status().await?, 200, "the status")?;
        // The user never left: no redirect, and no trip to the login.
        same(
            browser.run("return performance.getEntriesByType('navigation')[0].redirectCount").await?,
            0.into(),
            "redirects",
        )?;
        same(site.token_requests() - requests, 1, "refreshes")?;
        browser.follow("Account").await?;
        browser.sees("Your account").await?;
        same(site.token_requests() - requests, 1, "refreshes, with the next page")?;
    }
    assert_ne!(browser.reads("expiry").await?, expiry);
    let after = browser.cookie(site.session_cookie()).await?;
    same(before == after, sessions == Sessions::Store, "a handle stays, a sealed session changes")?;
    same(after.map(|cookie| cookie.attributes), Some("secure httpOnly Lax /".to_owned()), "the cookie")?;
    browser.close().await
}

async fn ten_tabs_with_an_expired_token(driver: &Driver, sessions: Sessions) -> Outcome {
    let site = Site::start(sessions).await?;
    let browser = signed_in(driver, &site, "ada@example.com").await?;
    site.let_tokens_expire();
    // While WorkOS takes its time, as many requests wait as the browser sends at once.
    site.authkit.inject(AUTHENTICATE, Fault::Slow(Duration::from_secs(1)), usize::MAX);
    let (requests, refreshes) = (site.token_requests(), site.authkit.refreshes());
    // Chromium sends requests for one address one after the other.
    browser.run("for (let tab = 0; tab < 10; tab++) window.open(`/account?tab=${tab}`)").await?;
    let tabs = browser.driver.windows().await?;
    same(tabs.len(), 11, "tabs")?;
    for tab in &tabs[1..] {
        browser.driver.switch_to_window(tab.clone()).await?;
        browser.sees("Your account").await?;
        same(&*browser.reads("email").await?, "ada@example.com", "the user")?;
    }
    same((site.token_requests() - requests, site.authkit.refreshes() - refreshes), (1, 1), "refreshes at WorkOS")?;
    site.authkit.heal();
    // The pair that came is the one that is kept.
    site.let_tokens_expire();
    for tab in [&tabs[10], &tabs[1], &tabs[0]] {
        browser.driver.switch_to_window(tab.clone()).await?;
        browser.driver.refresh().await?;
        browser.sees("Your account").await?;
    }
    same(site.authkit.refreshes() - refreshes, 2, "refreshes after the next expiry")?;
    browser.close().await
}

async fn tampered_cookie(driver: &Driver, sessions: Sessions) -> Outcome {
    let site = Site::start(sessions).await?;
    let browser = signed_in(driver, &site, "ada@example.com").await?;
    let good = browser.cookie(site.session_cookie()).await?.ok_or("no session")?;
    let middle = good.value.len() / 2;
    let flipped = if &good.value[middle..=middle] == "A" { "B" } else { "A" };
    let flipped = format!("{}{flipped}{}", &good.value[..middle], &good.value[middle + 1..]);
    for value in [&*flipped, &good.value[..20], "x"] {
        let tampered = Kept { value: value.to_owned(), ..good.clone() };
        browser.set_cookie(&site.url("/"), &tampered).await?;
        let requests = site.token_requests();
        // A public page shows nobody, and no error.
        browser.visit(&site.url("/")).await?;
        same(browser.status().await?, 200, "the status")?;
        assert!(!browser.shows("ada@example.com is").await?);
        browser.appears(By::LinkText("Sign in")).await?;
        same(browser.cookies().await?, Vec::new(), "what is worth nothing is cleared")?;

        browser.set_cookie(&site.url("/"), &tampered).await?;
        is_signed_out(&browser, &site).await?;
        same(browser.cookie(site.session_cookie()).await?, None, "cleared on the way to the login too")?;
        // While a login is under way, nothing would be cleared: it may bring a new cookie of the same name.
        browser.forget_cookies().await?;
        same(site.token_requests(), requests, "nothing was sent to WorkOS")?;
    }
    // Nothing else was wrong: the good value still counts.
    browser.set_cookie(&site.url("/"), &good).await?;
    browser.visit(&site.url("/account")).await?;
    browser.sees("Your account").await?;
    browser.close().await
}

/// Names that look like the cookie's, as a script can write them.
fn look_alikes(name: &str) -> Vec<String> {
    let lower = name.to_lowercase();
    let mut names = vec![name.to_owned(), lower, name.to_uppercase(), name.replace("__Host-", "__Host")];
    for space in ["\u{a0}", "\u{85}", "\u{1680}", "\u{2003}", "\u{2028}", "\u{3000}", "\u{feff}", "\u{200b}"] {
        names.extend([format!("{space}{name}"), format!("{name}{space}"), format!("__Host{space}-{}", &name[7..])]);
    }
    // No name: the browser sends only the value, which then looks like a name and a value.
    names.push(format!("={name}"));
    // Full-width and Cyrillic letters.
    names.push(name.replace('_', "\u{ff3f}"));
    names.push(name.replace('o', "\u{43e}"));
    names
}

async fn planted_look_alike(driver: &Driver, sessions: Sessions) -> Outcome {
    let mut site = Site::start(sessions).await?;
    // The attacker's own session, which the victim shall work in.
    let attacker = signed_in(driver, &site, "alan@example.com").await?;
    let planted = attacker.cookie(site.session_cookie()).await?.ok_or("no session")?.value;
    attacker.close().await?;
    let sibling = site.other(SIBLING, "<h1>A blog</h1>").await?;

    let browser = driver.browser(&site).await?;
    browser.visit(&sibling).await?;
    let mut kept = 0;
    for name in look_alikes(site.session_cookie()) {
        let cookie = format!("{name}={planted}; domain=lighthouse.test; path=/; secure");
        browser.run(&format!("document.cookie = {}", serde_json::to_string(&cookie)?)).await?;
    }
    let cookies = browser.cookies().await?;
    for cookie in &cookies {
        same(&*cookie.domain, ".lighthouse.test", "who gets it")?;
        assert!(!cookie.name.eq_ignore_ascii_case(site.session_cookie()), "the browser keeps the prefix: {cookie:?}");
        kept += 1;
    }
    assert!(kept >= 10, "the browser keeps some of them: {cookies:?}");

    // Alone, they sign nobody in.
    browser.visit(&site.url("/")).await?;
    browser.appears(By::LinkText("Sign in")).await?;
    is_signed_out(&browser, &site).await?;
    // Beside a session, they change nothing.
    browser.sign_in_as("ada@example.com").await?;
    browser.sees("Your account").await?;
    browser.driver.refresh().await?;
    same(&*browser.reads("email").await?, "ada@example.com", "the user")?;
    site.let_tokens_expire();
    browser.driver.refresh().await?;
    same(&*browser.reads("email").await?, "ada@example.com", "the user, after a refresh")?;
    browser.press("Sign out").await?;
    browser.eventually("a sign-out", async || browser.shows("You are signed out").await).await?;
    is_signed_out(&browser, &site).await?;
    browser.close().await
}

async fn back_after_sign_out(driver: &Driver, sessions: Sessions) -> Outcome {
    // Whether this case would notice anything.
    let careless = Site::with(sessions, Changes { is_stored: true, ..Changes::default() }).await?;
    assert!(
        shows_account_after_sign_out(driver, &careless).await?,
        "without `no-store`, the browser shows the page again"
    );
    let site = Site::start(sessions).await?;
    assert!(!shows_account_after_sign_out(driver, &site).await?, "the page came out of the browser's memory");
    Ok(())
}

async fn shows_account_after_sign_out(driver: &Driver, site: &Site) -> Outcome<bool> {
    let browser = signed_in(driver, site, "ada@example.com").await?;
    browser.follow("Organizations").await?;
    browser.sees("Your organizations").await?;
    browser.press("Sign out").await?;
    browser.eventually("a sign-out", async || browser.shows("You are signed out").await).await?;
    let mut shown = false;
    for _ in 0..2 {
        browser.driver.back().await?;
        shown |= browser.shows("ada@example.com is").await? || browser.shows("Sign out").await?;
    }
    browser.close().await?;
    Ok(shown)
}

async fn forged_callback(driver: &Driver, sessions: Sessions) -> Outcome {
    let site = Site::start(sessions).await?;
    let browser = driver.browser(&site).await?;
    // A login waits in one tab.
    browser.visit(&site.url("/account")).await?;
    browser.is_asked_who_it_is().await?;
    let (login, cookies) = (browser.driver.window().await?, browser.cookies().await?);

    browser.driver.new_tab().await?;
    let tabs = browser.driver.windows().await?;
    browser.driver.switch_to_window(tabs[1].clone()).await?;
    for query in ["?code=01E2&state=guessed", "?code=01E2", "", "?error=access_denied&state=guessed"] {
        browser.visit(&site.url(&format!("/callback{query}"))).await?;
        browser.sees("This sign-in can’t be completed").await?;
        same(browser.status().await?, 400, query)?;
    }
    // The callback of a login that the attacker began, with a code for the attacker's own account.
    let attacker = driver.browser(&site).await?;
    attacker.visit(&site.url("/account")).await?;
    attacker.is_asked_who_it_is().await?;
    let callback = testing::Browser::new()?.sign_in(&attacker.url().await?, "alan@example.com").await?;
    attacker.close().await?;
    assert!(callback.starts_with(&site.url("/callback?code=")), "{callback}");
    browser.visit(&callback).await?;
    browser.sees("This sign-in can’t be completed").await?;

    same(browser.cookies().await?, cookies, "the login that waits")?;
    same(site.token_requests(), 0, "requests to WorkOS")?;
    browser.follow("Home").await?;
    assert!(!browser.shows("You are signed in").await?);

    // It goes on.
    browser.driver.switch_to_window(login).await?;
    browser.sign_in_as("ada@example.com").await?;
    browser.sees("Your account").await?;
    same(site.token_requests(), 1, "requests to WorkOS")?;
    let callback = site.url("/callback?code=01E2&state=guessed");
    browser.visit(&callback).await?;
    browser.sees("This sign-in can’t be completed").await?;
    browser.visit(&site.url("/account")).await?;
    browser.sees("Your account").await?;
    browser.close().await
}

async fn refused_login(driver: &Driver, sessions: Sessions) -> Outcome {
    let site = Site::start(sessions).await?;
    let browser = driver.browser(&site).await?;
    browser.visit(&site.url("/account")).await?;
    browser.is_asked_who_it_is().await?;
    browser.cancel_sign_in().await?;
    browser.sees("You did not sign in").await?;
    same(site.token_requests(), 0, "requests to WorkOS")?;
    browser.follow("Sign in").await?;
    browser.sign_in_as("ada@example.com").await?;
    browser.sees("Your account").await?;
    browser.close().await
}

async fn forms_of_other_sites(driver: &Driver, sessions: Sessions) -> Outcome {
    let mut site = Site::start(sessions).await?;
    let browser = signed_in(driver, &site, "ada@example.com").await?;
    let cookies = browser.cookies().await?;
    let requests = site.token_requests();
    let page = format!(
        "<h1>You have won</h1><img src='{0}'><form method=post action='{0}'><button>Collect</button></form>\
         <form method=post action='{1}'><button name=organization_id value=org_harbour>Double it</button></form><form action='{0}'><button>Read on</button></form>",
        site.url("/logout"),
        site.url("/switch-organization"),
    );
    // The sibling's requests bring the cookie, since `SameSite` is about sites and not about origins.
    for host in [SIBLING, STRANGER] {
        let attacker = site.other(host, &page).await?;
        for button in ["Collect", "Double it"] {
            browser.visit(&attacker).await?;
            browser.press(button).await?;
            browser.sees("This request was refused").await?;
            same(browser.status().await?, 403, button)?;
            same(browser.cookies().await?, cookies.clone(), "the cookies")?;
        }
        // No link can do it either.
        browser.visit(&attacker).await?;
        browser.press("Read on").await?;
        browser.sees("This request was refused").await?;
        same(browser.status().await?, 405, "the status")?;
        browser.visit(&site.url("/account")).await?;
        browser.sees("Your account").await?;
        same(&*browser.reads("organization").await?, "org_lighthouse", "the organization")?;
    }
    same(site.token_requests(), requests, "nothing was sent to WorkOS")?;
    browser.close().await
}

async fn second_factor(driver: &Driver, sessions: Sessions) -> Outcome {
    let email = "margaret@example.com";
    let site = Site::start(sessions).await?;
    let browser = driver.browser(&site).await?;
    browser.visit(&site.url("/account")).await?;
    browser.sign_in_as(email).await?;
    browser.enter_code("12345").await?;
    browser.is_told_that_the_code_is_wrong().await?;
    let cookies = browser.cookies().await?;
    assert!(
        cookies.iter().all(|cookie| cookie.name.starts_with("__Host-workos-login-")),
        "no session yet: {cookies:?}"
    );
    same(site.token_requests(), 0, "no code was exchanged yet")?;

    browser.enter_code(&site.authkit.totp_code(email).ok_or("a user with a second factor")?).await?;
    browser.sees("Your account").await?;
    same(&*browser.reads("email").await?, email, "the user")?;
    browser.close().await
}

async fn permission(driver: &Driver, sessions: Sessions) -> Outcome {
    let site = Site::start(sessions).await?;
    let browser = signed_in(driver, &site, "ada@example.com").await?;
    browser.follow("Billing").await?;
    browser.sees("Billing").await?;
    assert!(browser.shows("Harbour, 12 seats").await?);
    browser.close().await?;

    // With an organization but without the permission, and without an organization.
    for email in ["grace@example.com", "alan@example.com"] {
        let browser = signed_in(driver, &site, email).await?;
        browser.follow("Billing").await?;
        browser.sees("You may not see this page").await?;
        same(browser.status().await?, 403, email)?;
        assert!(!browser.shows("12 seats").await?);
        browser.close().await?;
    }

    let browser = driver.browser(&site).await?;
    browser.visit(&site.url("/billing")).await?;
    browser.sign_in_as("ada@example.com").await?;
    browser.sees("Billing").await?;
    browser.visit(&site.url("/nowhere")).await?;
    browser.sees("There is no such page").await?;
    same(browser.status().await?, 404, "the status")?;
    browser.close().await
}

async fn organization_switch(driver: &Driver, sessions: Sessions) -> Outcome {
    let site = Site::start(sessions).await?;
    let browser = signed_in(driver, &site, "ada@example.com").await?;
    let before = browser.cookie(site.session_cookie()).await?;
    browser.follow("Organizations").await?;
    browser.press("Switch to Organization org_harbour").await?;
    browser.sees("Your account").await?;
    same(&*browser.reads("organization").await?, "org_harbour", "the organization")?;
    same(site.token_requests(), 2, "a login and a switch")?;
    let after = browser.cookie(site.session_cookie()).await?;
    same(before == after, sessions == Sessions::Store, "a handle stays, a sealed session changes")?;
    // It outlasts a refresh.
    site.let_tokens_expire();
    browser.driver.refresh().await?;
    same(&*browser.reads("organization").await?, "org_harbour", "the organization")?;
    browser.close().await?;

    // An organization that the user isn't a member of.
    let browser = signed_in(driver, &site, "grace@example.com").await?;
    browser.follow("Organizations").await?;
    browser.run(
        "const form = document.createElement('form'); form.method = 'post'; form.action = '/switch-organization';\
         form.innerHTML = '<input name=organization_id value=org_lighthouse>'; document.body.append(form); form.submit()",
    )
    .await?;
    browser.sees("You did not switch").await?;
    browser.visit(&site.url("/account")).await?;
    same(&*browser.reads("organization").await?, "org_harbour", "the organization")?;
    browser.close().await
}

async fn impersonation(driver: &Driver, sessions: Sessions) -> Outcome {
    let site = Site::with(sessions, Changes { accepts_impersonation: true, ..Changes::default() }).await?;
    let by = "support@example.com";
    let callback = site.authkit.impersonate("ada@example.com", by, Some("a question"), &site.url("/callback"))?;
    let browser = driver.browser(&site).await?;
    browser.visit(&callback).await?;
    browser.visit(&site.url("/account")).await?;
    browser.sees("Your account").await?;
    let banner = browser.appears(By::Css("aside[aria-label=Impersonation]")).await?.text().await?;
    assert!(banner.starts_with("support@example.com is signed in as ada@example.com."), "{banner}");
    same(&*browser.reads("impersonator").await?, by, "the impersonator")?;
    same(&*browser.reads("method").await?, "Impersonation", "the method")?;
    looks::look(&browser, "impersonation").await?;
    browser.close().await?;

    // An application that didn't ask for it refuses such a callback: it is tied to no browser.
    let site = Site::start(sessions).await?;
    let callback = site.authkit.impersonate("ada@example.com", by, None, &site.url("/callback"))?;
    let browser = driver.browser(&site).await?;
    browser.visit(&callback).await?;
    browser.sees("This sign-in can’t be completed").await?;
    same(site.token_requests(), 0, "requests to WorkOS")?;
    browser.close().await
}

async fn outage(driver: &Driver, sessions: Sessions) -> Outcome {
    let site = Site::start(sessions).await?;
    let browser = signed_in(driver, &site, "ada@example.com").await?;
    let cookies = browser.cookies().await?;
    // While the token is good, nobody notices.
    site.authkit.inject(AUTHENTICATE, Fault::Status(500, None), usize::MAX);
    browser.driver.refresh().await?;
    browser.sees("Your account").await?;

    site.let_tokens_expire();
    browser.follow("Billing").await?;
    browser.sees("Please try again").await?;
    same(browser.status().await?, 503, "the status")?;
    same(browser.cookies().await?, cookies, "the user stays signed in")?;
    // Again, in vain.
    browser.follow("Try again").await?;
    browser.sees("Please try again").await?;

    site.authkit.heal();
    browser.follow("Try again").await?;
    browser.sees("Billing").await?;
    same(browser.url().await?, site.url("/billing"), "the page that the user wanted")?;
    browser.close().await
}
