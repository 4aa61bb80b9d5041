//! The AuthKit for the tests of applications, as these use it.

use std::time::{Duration, SystemTime};

use workos_auth::session::{MemorySessionStore, NotActive};
use workos_auth::testing::{AuthKit, Browser, BrowserError, Endpoint, Fault, ManualClock, TestMembership, TestUser};
use workos_auth::{Callback, ErrorCode, ExposeSecret, OrganizationId, RefreshToken, SessionManager, SessionState};

use crate::support::Outcome;
use crate::support::login::{in_browser, redirect, rejection};
use crate::support::session::keep;

const ADA: &str = "ada@example.com";

#[tokio::test]
async fn time_passes_for_the_server_and_for_the_clients_that_it_made() -> Outcome {
    let authkit = AuthKit::start().await?;
    let client = authkit.confidential_client();
    let verifier = client.verifier();
    let session = client.session(in_browser(&client, ADA).await?);
    let elsewhere = authkit.public_client();
    let refresh_token = in_browser(&elsewhere, ADA).await?.refresh_token;

    authkit.advance(Duration::from_secs(301));
    let Err(NotActive::Expired(expired)) = session.check(&verifier).await else { panic!("it is expired") };
    let refreshed = keep(expired.refresh().await?).check(&verifier).await?;
    assert_eq!((refreshed.user().email.as_str(), authkit.refreshes()), (ADA, 1));

    // A replay of a refresh is possible for 30 s of the same time.
    let token = || RefreshToken::new(refresh_token.expose_secret());
    let newer = elsewhere.authenticate_with_refresh_token(token()).send().await?.refresh_token;
    let replayed = authkit.public_client().authenticate_with_refresh_token(token()).send().await?.refresh_token;
    assert_eq!(replayed.expose_secret(), newer.expose_secret());
    authkit.advance(Duration::from_secs(31));
    let refused = rejection(authkit.public_client().authenticate_with_refresh_token(token()).send().await);
    assert_eq!(refused.error().code(), Some(&ErrorCode::InvalidGrant));
    Ok(())
}

#[tokio::test]
async fn a_session_in_a_store_is_refreshed_when_its_token_expires() -> Outcome {
    let authkit = AuthKit::start().await?;
    let client = authkit.confidential_client();
    let sessions = SessionManager::new(client.clone(), MemorySessionStore::new());
    let handle = sessions.sign_in(in_browser(&client, ADA).await?).await?;
    assert!(matches!(sessions.authenticate(&handle).await, SessionState::Active(_)));
    assert_eq!(authkit.refreshes(), 0);
    authkit.advance(Duration::from_secs(301));
    assert!(matches!(sessions.authenticate(&handle).await, SessionState::Active(_)));
    assert_eq!(authkit.refreshes(), 1);
    Ok(())
}

#[tokio::test]
async fn each_client_is_one_of_its_own_and_they_share_the_clock_that_was_given() -> Outcome {
    let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600);
    let clock = ManualClock::new(start);
    let authkit = AuthKit::builder().clock(clock.clone()).start().await?;
    let (one, other) = (authkit.confidential_client(), authkit.confidential_client());
    let response = in_browser(&one, ADA).await?;
    for client in [&one, &one, &other] {
        let token = client.verifier().verify(&response.access_token).await?;
        assert_eq!(token.issued_at().map(SystemTime::from), Some(start));
    }
    assert_eq!(authkit.requests_to(Endpoint::Jwks), 2, "each client fetches the keys for itself");
    clock.advance(Duration::from_secs(10));
    assert_eq!(authkit.clock().now(), start + Duration::from_secs(10));
    assert_eq!((one.client_id().as_str(), one.base_url()), (authkit.client_id(), authkit.base_url()));
    Ok(())
}

#[tokio::test]
async fn an_authkit_that_no_client_could_use_does_not_start() {
    for builder in [AuthKit::builder().client_id(""), AuthKit::builder().api_key("")] {
        let error = builder.start().await.unwrap_err().to_string();
        assert!(error.contains("client_id") || error.contains("api_key"), "{error}");
    }
}

/// Signs in with a browser that has this code.
async fn with_code(authkit: &AuthKit, email: &str, code: &str) -> Result<String, BrowserError> {
    let login = authkit.public_client().authorize(redirect()).authkit().begin().unwrap();
    Browser::new()?.with_code(code).sign_in(login.url().as_str(), email).await
}

fn other_than(code: &str) -> &'static str {
    if code == "000000" { "000001" } else { "000000" }
}

#[tokio::test]
async fn a_browser_is_asked_for_the_second_factor() -> Outcome {
    let authkit = AuthKit::builder().user(TestUser::new(ADA).totp()).start().await?;
    let code = authkit.totp_code(ADA).ok_or("there is a code before any login")?;
    let client = authkit.confidential_client();
    let login = client.authorize(redirect()).authkit().begin()?;
    let browser = Browser::new()?;
    let missing = browser.sign_in(login.url().as_str(), ADA).await.unwrap_err();
    assert!(matches!(missing, BrowserError::SecondFactor { .. }), "{missing:?}");
    assert!(missing.to_string().contains("AuthKit::totp_code"), "{missing}");
    let wrong = browser.clone().with_code(other_than(&code)).sign_in(login.url().as_str(), ADA).await.unwrap_err();
    assert!(matches!(wrong, BrowserError::WrongCode), "{wrong:?}");

    let callback = browser.with_code(&code).sign_in(login.url().as_str(), ADA).await?;
    assert_eq!(login.exchange(Callback::from_url(&callback)?)?.send().await?.user.email, ADA);
    let again = with_code(&authkit, ADA, &code).await.unwrap_err();
    assert!(matches!(again, BrowserError::WrongCode), "a code is good once: {again:?}");
    Ok(())
}

#[tokio::test]
async fn a_browser_enrolls_a_second_factor_and_verifies_an_address() -> Outcome {
    let new = TestUser::new(ADA).must_enroll_mfa();
    let authkit = AuthKit::builder().user(new).user(TestUser::new("bob@example.com").unverified()).start().await?;
    assert!(authkit.totp_code(ADA).is_none() && authkit.last_code("bob@example.com").is_none());
    let client = authkit.public_client();
    let missing = in_browser(&client, ADA).await.unwrap_err();
    assert!(missing.to_string().contains("second factor"), "{missing}");
    let code = authkit.totp_code(ADA).ok_or("the page has enrolled a factor")?;
    assert!(with_code(&authkit, ADA, &code).await?.contains("?code="));

    let missing = in_browser(&client, "bob@example.com").await.unwrap_err();
    assert!(missing.to_string().contains("AuthKit::last_code"), "{missing}");
    let code = authkit.last_code("bob@example.com").ok_or("nothing was sent")?;
    let wrong = with_code(&authkit, "bob@example.com", other_than(&code)).await.unwrap_err();
    assert!(matches!(wrong, BrowserError::WrongCode), "{wrong:?}");
    assert!(with_code(&authkit, "bob@example.com", &code).await?.contains("?code="));
    assert!(in_browser(&client, "bob@example.com").await?.user.email_verified, "no code is asked for again");
    Ok(())
}

#[tokio::test]
async fn a_device_login_asks_for_the_second_factor_too() -> Outcome {
    let authkit = AuthKit::builder().user(TestUser::new(ADA).totp()).start().await?;
    let login = authkit.public_client().device_authorization().send().await?;
    let address = login.verification_uri_complete().ok_or("no address")?.to_string();
    let browser = Browser::new()?;
    let missing = browser.approve_device(&address, ADA).await.unwrap_err();
    assert!(matches!(missing, BrowserError::SecondFactor { .. }), "{missing:?}");
    let code = authkit.totp_code(ADA).ok_or("no factor")?;
    browser.clone().with_code(code).approve_device(&address, ADA).await?;
    assert_eq!(login.wait().await?.user.email, ADA);
    let decided = browser.deny_device(&address).await.unwrap_err();
    assert!(matches!(decided, BrowserError::UnknownDevice), "{decided:?}");
    Ok(())
}

#[tokio::test]
async fn unknown_users_are_named_with_those_there_are() -> Outcome {
    let bob = TestUser::new("bob@example.com").organization("org_one");
    let authkit = AuthKit::builder().user(TestUser::new(ADA)).user(bob).start().await?;
    let client = authkit.public_client();
    let unknown = in_browser(&client, "eve@example.com").await.unwrap_err();
    let expected = "there is no user eve@example.com, but there are: ada@example.com, bob@example.com";
    assert_eq!(unknown.to_string(), expected);
    assert_eq!(authkit.end_sessions_of("eve@example.com").unwrap_err().to_string(), expected);
    assert_eq!(authkit.send_magic_auth("eve@example.com").unwrap_err().to_string(), expected);

    let login = client.authorize(redirect()).organization("org_one".parse()?).begin()?;
    let elsewhere = Browser::new()?.sign_in(login.url().as_str(), ADA).await.unwrap_err();
    assert!(
        matches!(&elsewhere, BrowserError::NotMember { users, .. } if *users == ["bob@example.com"]),
        "{elsewhere:?}"
    );
    Browser::new()?.sign_in(login.url().as_str(), "bob@example.com").await?;
    let users: Vec<String> = authkit.users().iter().map(ToString::to_string).collect();
    assert_eq!(users, ["ada@example.com", "bob@example.com: org_one"]);
    Ok(())
}

#[tokio::test]
async fn sessions_are_ended_by_user() -> Outcome {
    let authkit = AuthKit::builder().user(TestUser::new(ADA)).user(TestUser::new("bob@example.com")).start().await?;
    let client = authkit.public_client();
    let (ada, bob) = (in_browser(&client, ADA).await?, in_browser(&client, "bob@example.com").await?);
    authkit.end_sessions_of(ADA)?;
    let refused = rejection(client.authenticate_with_refresh_token(ada.refresh_token).send().await);
    assert_eq!(refused.error().code(), Some(&ErrorCode::InvalidGrant));
    drop(client.authenticate_with_refresh_token(bob.refresh_token).send().await?);
    Ok(())
}

#[tokio::test]
async fn roles_and_permissions_are_those_of_the_organization() -> Outcome {
    let ada = TestUser::new(ADA)
        .organization(TestMembership::new("org_one").role("admin").permission("posts:write"))
        .organization("org_two")
        .role("reader")
        .permission("posts:read");
    let authkit = AuthKit::builder().user(ada).start().await?;
    let client = authkit.confidential_client();
    let mut session = client.session(in_browser(&client, ADA).await?).check(&client.verifier()).await?;
    for (organization, role, may_write) in [("org_one", "admin", true), ("org_two", "reader", false)] {
        let id = OrganizationId::new(organization)?;
        session = keep(session.switch_organization(id.clone()).await?).check(&client.verifier()).await?;
        let membership = session.token().in_organization(&id)?;
        assert_eq!(membership.role(), Some(role));
        assert_eq!(membership.has_permission("posts:write"), may_write, "in {organization}");
        assert!(membership.has_permission("posts:read"), "in {organization}");
    }
    Ok(())
}

#[tokio::test]
async fn an_outage_of_everything_lasts_until_it_is_healed() -> Outcome {
    let authkit = AuthKit::start().await?;
    let client = authkit.public_client_builder().retries(0).build()?;
    let response = in_browser(&client, ADA).await?;
    authkit.inject(Endpoint::All, Fault::Status(503, None), usize::MAX);
    authkit.inject(Endpoint::Authenticate, Fault::Status(429, Some(7)), 1);
    let before = authkit.requests_to(Endpoint::All);
    assert!(client.verifier().verify(&response.access_token).await.is_err());
    let refused = rejection(client.authenticate_with_refresh_token(response.refresh_token).send().await);
    assert_eq!(refused.error().retry_after(), Some(Duration::from_secs(7)), "the endpoint's own fault goes first");
    assert!(authkit.requests_to(Endpoint::All) > before + 1);
    authkit.heal();
    authkit.advance(Duration::from_secs(60)); // the pause after keys that could not be fetched
    client.verifier().verify(&response.access_token).await?;
    drop(refused.recover()?.send().await?);
    Ok(())
}

#[tokio::test]
async fn the_pages_allow_their_own_style_and_nothing_else() -> Outcome {
    let ada = TestUser::new("\"><script>@example.com").name("<b>Ada</b>", "&").organization("<i>").totp();
    let authkit = AuthKit::builder().user(ada).start().await?;
    let login = authkit.public_client().authorize(redirect()).authkit().begin()?;
    let device = format!("{}/device?user_code=%22%3E%3Cscript%3E", authkit.base_url());
    for url in [login.url().as_str(), device.as_str(), &format!("{}/user_management/authorize", authkit.base_url())] {
        let reply = reqwest::get(url).await?;
        let policy = reply.headers()["content-security-policy"].to_str()?.to_owned();
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
        let page = reply.text().await?;
        for raw in ["<script", "<b>Ada", "<i>", " style=", " onclick"] {
            assert!(!page.contains(raw), "{raw} in {page}");
        }
        assert!(page.contains("<html lang=\"en\">") && page.contains("<h1>") && page.contains("width=device-width"));
        for id in page.split("<label for=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(page.contains(&format!("<input id=\"{id}\"")), "a field for the label {id}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn the_example_serves_an_authkit_that_the_printed_variables_lead_to() -> Outcome {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    let binary = std::env::current_exe()?.ancestors().nth(2).ok_or("no target folder")?.join("examples/authkit");
    let mut example = Command::new(binary)
        .env_remove("WORKOS_CLIENT_ID")
        .env("WORKOS_API_KEY", "sk_by_hand")
        .args(["--port", "0"])
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("`cargo build --example authkit` comes first: {error}"))?;
    let mut said = Vec::new();
    for line in BufReader::new(example.stdout.take().ok_or("no output")?).lines() {
        let line = line?;
        let is_last = line.starts_with("Stop");
        said.push(line);
        if is_last {
            break;
        }
    }
    let said = said.join("\n");
    let exported = |name: &str| {
        let rest = said.split_once(&format!("export {name}=")).map(|(_, rest)| rest);
        rest.and_then(|rest| rest.lines().next()).ok_or(format!("no {name} in {said}"))
    };
    assert_eq!(exported("WORKOS_API_KEY")?, "sk_by_hand");
    assert!(said.contains("grace@example.com (Grace Hopper): password, second factor"), "{said}");
    let client = workos_auth::Client::builder().client_id(exported("WORKOS_CLIENT_ID")?);
    let client = client.api_key("sk_by_hand").base_url(exported("WORKOS_BASE_URL")?).build()?;
    let response = in_browser(&client, ADA).await?;
    assert_eq!(response.organization_id.as_ref().map(OrganizationId::as_str), Some("org_lighthouse"));
    example.kill()?;
    example.wait()?;
    Ok(())
}
