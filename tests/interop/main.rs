//! Sealed sessions that go to and fro between this crate and the libraries for Node: the WorkOS SDK, authkit-session,
//! authkit-nextjs and iron-session. Webhooks, Actions and access tokens go to and fro, too. And `docs/coming-from-node.md` has each name that their type declarations have.
//!
//! It needs Node and `npm ci --prefix tests/interop`, so it runs where `WORKOS_INTEROP` is set, and there it must run.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use workos_auth::action::{Action, ActionSecret, Actions};
use workos_auth::connect::{ResourceServer, Scopes, Subject};
use workos_auth::id::{Issuer, ResourceUri};
use workos_auth::login::{AuthenticationMethod, Impersonator};
use workos_auth::parking::Parking;
use workos_auth::secret::BearerToken;
use workos_auth::session::{CookieSessions, MemorySessionStore, SessionParts};
use workos_auth::testing::{ActionVerdict, AuthKit, Browser, TestMembership, TestUser};
use workos_auth::webhook::{Delivery, EventData, WebhookSecret, Webhooks};
use workos_auth::{
    AccessToken, Confidential, ConfidentialClient, CookiePassword, EmailAddress, Error, ExposeSecret, LoginHandlers,
    OpenedSession, OrganizationId, Password, RedirectUri, RefreshToken, SessionCookie, SessionManager, User,
};

/// As it is registered at WorkOS.
const ENDPOINT: &str = "https://example.com/webhooks/workos";

type Outcome<T = ()> = Result<T, Box<dyn StdError>>;

const SESSIONS: u64 = 200;
const PASSWORD: &str = "interop-password-of-more-than-32-characters";

fn main() -> ExitCode {
    if std::env::var_os("WORKOS_INTEROP").is_none() {
        println!("SKIPPED: set WORKOS_INTEROP after `npm ci --prefix tests/interop`");
        return ExitCode::SUCCESS;
    }
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("interop failed: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Outcome {
    let mut node = Node::start()?;
    let client = ConfidentialClient::new("client_123", "sk_example")?;
    let cookie = SessionCookie::new(CookiePassword::new(PASSWORD)?)?;
    let (mut largest, mut seen) = (0, BTreeMap::<&str, u32>::new());
    for seed in 0..SESSIONS {
        let response = Dice(seed).response();
        for (name, value) in fields(&response) {
            *seen.entry(name).or_default() += u32::from(!value.is_null());
        }
        let theirs = node.ask(&json!({"op": "seal", "response": response, "password": PASSWORD}))?;
        for writer in ["sdk", "iron"] {
            let sealed = theirs[writer].as_str().ok_or("nothing was sealed")?;
            let session = cookie.open(&client, sealed).map_err(|error| format!("{writer}, session {seed}: {error}"))?;
            let parts = session.into_unverified_parts();
            same(&parts, &response).map_err(|what| format!("{writer}, session {seed}: {what} differs"))?;
            if Some(parts.refresh_token.expose_secret()) != response["refresh_token"].as_str() {
                return Err(format!("{writer}, session {seed}: the refresh token differs").into());
            }
        }
        let ours = cookie.seal(&session(&client, &response)?)?;
        largest = largest.max(ours.len());
        let opened = node.ask(&json!({"op": "open", "sealed": ours, "password": PASSWORD}))?;
        for reader in ["sdk", "iron"] {
            if present(&opened[reader]) != present(&theirs["session"]) {
                return Err(format!("{reader}, session {seed}: {} is not {}", opened[reader], theirs["session"]).into());
            }
        }
    }
    for (name, count) in &seen {
        if *count == 0 || u64::from(*count) == SESSIONS && *name != "metadata" {
            return Err(format!("`{name}` was never absent, or never there: {count}").into());
        }
    }
    println!(
        "{SESSIONS} sessions sealed by the SDK for Node and by iron-session were opened here, and the other way round;"
    );
    println!("the largest was {largest} bytes");
    passwords_with_ids(&mut node, &client)?;
    live(&mut node)?;
    webhooks(&mut node)?;
    actions(&mut node)?;
    resource_tokens(&mut node)?;
    move_to_and_fro(&mut node)?;
    guide_is_complete(&mut node)
}

/// iron-session's `{1: old, 2: new}`: the ID of the password stands in the seal.
fn passwords_with_ids(node: &mut Node, client: &ConfidentialClient) -> Outcome {
    const NEW: &str = "another-random-password-of-over-32-characters";
    let passwords = json!({"1": PASSWORD, "2": NEW});
    let old = || CookiePassword::new(PASSWORD).and_then(|password| password.with_id("1"));
    let new = || CookiePassword::new(NEW).and_then(|password| password.with_id("2"));
    let before = SessionCookie::new(old()?)?;
    let both = SessionCookie::new(new()?)?.retired_password(old()?)?;
    let response = Dice(SESSIONS).response();
    let plain = node.ask(&json!({"op": "seal", "response": response, "password": PASSWORD}))?;

    let theirs = node.ask(&json!({"op": "sealWithIds", "session": plain["session"], "passwords": passwords}))?;
    let sealed = theirs["sealed"].as_str().ok_or("nothing was sealed")?;
    if !sealed.starts_with("Fe26.2*2*") {
        return Err("iron-session names its passwords in another way".into());
    }
    same(&both.open(client, sealed)?.into_unverified_parts(), &response)
        .map_err(|what| format!("with an ID, {what} differs"))?;
    if before.open(client, sealed).is_ok() {
        return Err("the older password opens what the newer one sealed".into());
    }
    for cookie in [&before, &both] {
        let ours = cookie.seal(&session(client, &response)?)?;
        let opened = node.ask(&json!({"op": "openWithIds", "sealed": ours, "passwords": passwords}))?;
        if present(&opened["session"]) != present(&plain["session"]) {
            return Err(format!("with IDs: {} is not {}", opened["session"], plain["session"]).into());
        }
    }
    // Without its ID, the newer password is not found.
    let nameless = SessionCookie::new(CookiePassword::new(NEW)?)?.seal(&session(client, &response)?)?;
    let opened = node.ask(&json!({"op": "openWithIds", "sealed": nameless, "passwords": passwords}))?;
    if opened["session"] != json!({}) {
        return Err("the ID makes no difference to iron-session".into());
    }
    println!("passwords with IDs open what iron-session sealed with them, and the other way round");
    Ok(())
}

/// A cookie of ours that the SDK for Node verifies and refreshes, and the one it makes then.
fn live(node: &mut Node) -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let (authkit, client, session) = runtime.block_on(async {
        let user = TestUser::new("ada@example.com").name("Åsa", "Łukasiewicz").password("correct horse");
        let authkit = AuthKit::builder().user(user).start().await?;
        let client = authkit.confidential_client();
        let email = EmailAddress::new("ada@example.com")?;
        let login = client.authenticate_with_password(email, Password::new("correct horse")).send().await?;
        let session = client.session(login);
        Outcome::Ok((authkit, client, session))
    })?;
    let verifier = client.verifier();
    let cookie = SessionCookie::new(CookiePassword::new(PASSWORD)?)?;
    let sealed = cookie.set(&session)?;
    let session = runtime.block_on(session.check(&verifier))?;
    let answer = node.ask(&json!({
        "op": "live", "sealed": sealed.expose_secret(), "password": PASSWORD, "baseUrl": authkit.base_url(),
        "clientId": authkit.client_id(), "apiKey": authkit.api_key(),
    }))?;
    if answer["authenticated"] != true
        || answer["sessionId"] != session.token().session_id().as_str()
        || answer["email"] != "ada@example.com"
    {
        return Err(format!("the SDK for Node doesn't take our cookie: {answer}").into());
    }
    let refreshed = cookie.open(&client, answer["refreshed"].as_str().ok_or("the SDK for Node did not refresh")?)?;
    let again = runtime.block_on(refreshed.check(&verifier))?;
    if again.token().session_id() != session.token().session_id() || authkit.refreshes() != 1 {
        return Err("the session that the SDK for Node refreshed is another".into());
    }
    println!("a session of ours was verified and refreshed by the SDK for Node, and verified here again");
    Ok(())
}

/// Users who have signed in to an application for Node stay signed in after the move, and the other way round.
fn move_to_and_fro(node: &mut Node) -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let user = TestUser::new("ada@example.com").password("correct horse");
    let authkit =
        runtime.block_on(AuthKit::builder().user(user).redirect_uri("https://example.com/callback").start())?;
    let client = authkit.confidential_client();
    let server = json!({"baseUrl": authkit.base_url(), "clientId": authkit.client_id(), "apiKey": authkit.api_key()});
    let with = |more: Value| {
        let mut command = server.clone();
        command
            .as_object_mut()
            .into_iter()
            .for_each(|command| command.extend(more.as_object().cloned().unwrap_or_default()));
        command
    };
    let password = || CookiePassword::new(PASSWORD);
    let redirect = || RedirectUri::new("https://example.com/callback");
    let cookie = || Ok::<_, Error>(SessionCookie::new(password()?)?.without_host_prefix());
    let sessions = CookieSessions::new(client.clone(), cookie()?);
    let handlers = LoginHandlers::new(client.clone(), sessions, Parking::new(password()?), redirect()?);

    // From Node: each library's own cookie is a session here, before and after its access token has expired.
    let login =
        json!({"op": "signIn", "email": "ada@example.com", "password": "correct horse", "cookiePassword": PASSWORD});
    for library in ["@workos-inc/node", "@workos/authkit-session", "@workos-inc/authkit-nextjs"] {
        let before = authkit.refreshes();
        let theirs = node.ask(&with(login.clone()))?;
        let header = theirs[library].as_str().ok_or("no cookie")?;
        let (session, set_cookie) = runtime.block_on(signed_in(&handlers, header))?;
        if set_cookie.is_some() || authkit.refreshes() != before {
            return Err(format!("{library}: a good session was refreshed").into());
        }
        authkit.advance(Duration::from_secs(600));
        let (refreshed, set_cookie) = runtime.block_on(signed_in(&handlers, header))?;
        let set_cookie = set_cookie.ok_or("an expired session got no new cookie")?;
        if refreshed != session || authkit.refreshes() != before + 1 {
            return Err(format!("{library}: {refreshed} is another session than {session}").into());
        }
        let (header, attributes) = set_cookie.split_once("; ").ok_or("no attributes")?;
        if !header.starts_with("wos-session=") || attributes.contains("Domain") {
            return Err(format!("{library} would not replace its cookie by this one: {attributes}").into());
        }
        accepted(node, &with(json!({"op": "accept", "password": PASSWORD})), header, &session)?;

        let logout = http::Request::post("/logout").header("cookie", header).header("origin", "https://example.com");
        let response = runtime.block_on(handlers.logout(&logout.body(())?.into_parts().0))?;
        let location = response.headers().get("location").and_then(|url| url.to_str().ok()).unwrap_or_default();
        if !location.contains(&session) {
            return Err(format!("{library}: the logout doesn't end the session at WorkOS").into());
        }
    }

    // From Node into a store: what the cookie holds is signed in once.
    let manager = SessionManager::new(client.clone(), MemorySessionStore::new());
    let theirs = node.ask(&with(login))?;
    let header = theirs["@workos/authkit-session"].as_str().ok_or("no cookie")?;
    let opened = cookie()?.open(&client, header.trim_start_matches("wos-session="))?;
    let state = runtime.block_on(async {
        let handle = manager.sign_in(opened.into_unverified_parts()).await?;
        Outcome::Ok(manager.authenticate(&handle).await)
    })?;
    if state.active()?.user().email != "ada@example.com" {
        return Err("a store holds another user's session".into());
    }

    // To Node: a cookie of a login in the browser.
    let header = runtime.block_on(login_in_browser(&handlers))?;
    let (session, _) = runtime.block_on(signed_in(&handlers, &header))?;
    accepted(node, &with(json!({"op": "accept", "password": PASSWORD})), &header, &session)?;
    println!("cookies of three libraries for Node are sessions here, also after a refresh, and the other way round");
    Ok(())
}

/// The ID of the session that a cookie brings, and the cookie that the answer sets.
async fn signed_in(handlers: &LoginHandlers<CookieSessions>, header: &str) -> Outcome<(String, Option<String>)> {
    let (request, ()) = http::Request::get("/").header("cookie", header).body(())?.into_parts();
    let mut found = Err("no answer".to_owned());
    let response = handlers.authenticate(&request).await.respond(|state| {
        found = match state.active() {
            Ok(active) if active.user().email == "ada@example.com" => Ok(active.token().session_id().to_string()),
            Ok(active) => Err(format!("{} is signed in", active.user().email)),
            Err(error) => Err(error.to_string()),
        };
        http::Response::new(())
    });
    let set_cookie = response.headers().get("set-cookie").map(|line| line.to_str().map(str::to_owned));
    Ok((found?, set_cookie.transpose()?))
}

/// The `Cookie` header of a browser after its login.
async fn login_in_browser(handlers: &LoginHandlers<CookieSessions>) -> Outcome<String> {
    let cookie = |response: &http::Response<String>| {
        let line = response.headers().get("set-cookie").and_then(|line| line.to_str().ok()).unwrap_or_default();
        line.split(';').next().unwrap_or_default().to_owned()
    };
    let (request, ()) = http::Request::get("/login").body(())?.into_parts();
    let begun = handlers.begin_login(&request)?;
    let url = begun.headers().get("location").ok_or("no redirect")?.to_str()?;
    let callback = Browser::new()?.sign_in(url, "ada@example.com").await?;
    let path = callback.trim_start_matches("https://example.com").to_owned();
    let (request, ()) = http::Request::get(path).header("cookie", cookie(&begun)).body(())?.into_parts();
    Ok(cookie(&handlers.finish_login(&request).await?.response))
}

/// Each library for Node takes a cookie of ours for this session.
fn accepted(node: &mut Node, command: &Value, header: &str, session: &str) -> Outcome {
    let mut command = command.clone();
    command["sealed"] = header.trim_start_matches("wos-session=").into();
    let answer = node.ask(&command)?;
    let seen = answer.as_object().filter(|seen| seen.len() == 3).ok_or("a library is missing")?;
    for (library, seen) in seen {
        if *seen != json!({"email": "ada@example.com", "sessionId": session}) {
            return Err(format!("{library} sees {seen}, and not {session}").into());
        }
    }
    Ok(())
}

/// Webhooks that the SDK for Node has signed are handled here, and it takes those that were signed here.
fn webhooks(node: &mut Node) -> Outcome {
    const SECRET: &str = "interop-secret-of-an-endpoint";
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let client = ConfidentialClient::new("client_123", "sk_example")?;
    let secret = WebhookSecret::new(SECRET)?;
    let webhooks = Webhooks::new(&client, MemorySessionStore::new(), ENDPOINT, secret.clone());
    let authkit = runtime.block_on(AuthKit::start())?;
    for seed in 0..SESSIONS {
        let mut dice = Dice(seed);
        let (text, at) = (dice.text(200), "2026-01-01T00:00:00.000Z");
        let data = json!({"object": "session", "id": format!("session_{seed}"), "user_id": "user_1", "user_agent": text,
            "ip_address": null, "auth_method": "password", "status": "revoked", "expires_at": at, "ended_at": at,
            "created_at": at, "updated_at": at});
        let id = format!("event_{seed}");
        let body = json!({"id": id, "event": "session.revoked", "data": data, "created_at": at}).to_string();
        let theirs = node.ask(&json!({"op": "signWebhook", "body": body, "secret": SECRET}))?;
        let header = theirs["header"].as_str().ok_or("no signature")?;
        let headers = http::HeaderMap::from_iter([("workos-signature".parse()?, header.parse()?)]);
        let handled = runtime.block_on(webhooks.handle(&headers, body.as_bytes(), async |event| match event.data() {
            EventData::SessionRevoked(session) if session.user_agent.as_ref() == Some(&text) => {
                Ok(event.id().to_string())
            }
            _ => Err("another event"),
        }));
        if handled.map_err(|error| format!("webhook {seed} of the SDK for Node: {error}"))? != Delivery::Handled(id) {
            return Err(format!("webhook {seed} of the SDK for Node is another event").into());
        }
        let ours = authkit.webhook(&secret, "session.revoked", &data)?;
        let (header, body) = (ours.headers()["workos-signature"].to_str()?, str::from_utf8(ours.body())?);
        let check = |body: &str| json!({"op": "checkWebhook", "body": body, "header": header, "secret": SECRET});
        let taken = node.ask(&check(body))?;
        if taken["event"] != "session.revoked" || !body.contains(taken["id"].as_str().unwrap_or("nothing")) {
            return Err(format!("the SDK for Node reads {taken} in {body}").into());
        }
        if node.ask(&check(&body.replacen("user_1", "user_2", 1))).is_ok() {
            return Err("the SDK for Node takes another body".into());
        }
    }
    println!("{SESSIONS} webhooks each way");
    Ok(())
}

/// Actions that the SDK for Node has signed are read here, it reads those that were signed here, and its answers are ours, byte for byte.
fn actions(node: &mut Node) -> Outcome {
    const SECRET: &str = "interop-secret-of-an-endpoint";
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let user = TestUser::new("ada@example.com").name("Åsa", "Łukasiewicz").organization(TestMembership::new("org_one"));
    let authkit = runtime.block_on(AuthKit::builder().user(user).start())?;
    let secret = ActionSecret::new(SECRET)?;
    let actions = Actions::new(&authkit.confidential_client(), secret.clone());
    for seed in 0..SESSIONS {
        let mut dice = Dice(seed);
        let (text, email) = (dice.text(200), format!("{seed}@example.com"));

        // Theirs.
        let data = json!({"object": "user_data", "email": email, "name": text, "first_name": "Åsa", "last_name": "Ł"});
        let id = format!("action_{seed}");
        let body = json!({"object": "user_registration_action_context", "id": id, "user_data": data}).to_string();
        let signed = node.ask(&json!({"op": "signAction", "body": body, "secret": SECRET}))?;
        let header = signed["header"].as_str().ok_or("no signature")?;
        let headers = http::HeaderMap::from_iter([("workos-signature".parse()?, header.parse()?)]);
        match actions.verify(&headers, body.as_bytes()).map_err(|error| format!("Action {seed}: {error}"))? {
            Action::UserRegistration(action) if action.user_data.name.as_ref() == Some(&text) => drop(action),
            _ => return Err(format!("Action {seed} of the SDK for Node is another Action").into()),
        }

        // Ours.
        let requests = [
            (authkit.authentication_action(&secret, "ada@example.com")?, "authentication"),
            (authkit.user_registration_action(&secret, &email)?, "user_registration"),
        ];
        for (request, kind) in requests {
            let (header, body) =
                (request.headers()["workos-signature"].to_str()?, str::from_utf8(request.body())?.to_owned());
            let check = |body: &str| json!({"op": "checkAction", "body": body, "header": header, "secret": SECRET});
            let seen = node.ask(&check(&body))?;
            let seen_email = if kind == "authentication" { &seen["user"]["email"] } else { &seen["userData"]["email"] };
            let is_right = match kind {
                "authentication" => {
                    *seen_email == "ada@example.com"
                        && seen["organization"]["id"] == "org_one"
                        && seen["organizationMembership"]["role"]["slug"] == "member"
                }
                _ => *seen_email == *email,
            };
            if !is_right || seen["deviceFingerprint"] != "a-device" {
                return Err(format!("the SDK for Node reads {seen} in {body}").into());
            }
            if node.ask(&check(&body.replacen("a-device", "another", 1))).is_ok() {
                return Err("the SDK for Node takes another body".into());
            }

            // The answers.
            for verdict in ["Allow", "Deny", "Deny with a message"] {
                let action = actions.verify(request.headers(), request.body())?;
                let mut answer = json!({"type": kind, "verdict": verdict.split(' ').next()});
                let (ours, is_read) = match verdict {
                    "Allow" => (action.allow(), ActionVerdict::Allow),
                    "Deny" => (action.deny(""), ActionVerdict::Deny(None)),
                    _ => {
                        answer["errorMessage"] = json!(text);
                        (action.deny(&*text), ActionVerdict::Deny(Some(text.clone())))
                    }
                };
                let ours = ours.into_response().into_body();
                let time = serde_json::from_str::<Value>(&ours)?["payload"]["timestamp"].clone();
                let ask = json!({"op": "answerAction", "answer": answer, "time": time, "secret": SECRET});
                let theirs = node.ask(&ask)?;
                if theirs["body"] != *ours {
                    return Err(format!("the SDK for Node answers {}, and not {ours}", theirs["body"]).into());
                }
                if authkit.read_action_answer(&secret, &request, &ours)? != is_read {
                    return Err(format!("{ours} is another answer").into());
                }
            }
        }
    }
    println!("{SESSIONS} Actions each way, and their answers, byte for byte");
    Ok(())
}

/// Access tokens that `jose` has signed are good at a resource server, and it takes those of the in-process AuthKit.
fn resource_tokens(node: &mut Node) -> Outcome {
    const RESOURCE: &str = "https://api.example.com";
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let issuer = node.ask(&json!({"op": "issuer"}))?["url"].as_str().ok_or("no issuer")?.to_owned();
    let server = ResourceServer::new(Issuer::new(&*issuer)?, ResourceUri::new(RESOURCE)?)?;
    let now = jiff::Timestamp::now().as_second();
    for seed in 0..SESSIONS {
        let mut dice = Dice(seed);
        let is_machine = dice.roll(2) == 0;
        let scopes = ["read:posts", "write:posts", "openid"].into_iter().filter(|_| dice.roll(2) == 0);
        let scopes = Scopes::new(scopes.map(str::to_owned).collect::<Vec<_>>())?;
        let subject = if is_machine { format!("client_{seed}") } else { format!("user_{seed}") };
        let mut claims = json!({
            "iss": issuer, "aud": RESOURCE, "sub": subject, "client_id": format!("client_{seed}"), "jti": dice.token(20),
            "iat": now, "exp": now + 300, "scope": scopes.to_string(), "something_new": dice.text(40),
        });
        dice.perhaps(&mut claims, "org_id", |dice| format!("org_{}", dice.roll(1000)).into());
        let claims = present(&claims);
        let mut sign = |more: Value| {
            let mut command = json!({"op": "signToken", "claims": claims});
            for (name, value) in more.as_object().into_iter().flatten() {
                match name.as_str() {
                    "claims" => value.as_object().into_iter().flatten().for_each(|(claim, value)| {
                        command["claims"][claim] = value.clone();
                    }),
                    _ => command[name] = value.clone(),
                }
            }
            let signed = node.ask(&command)?;
            Outcome::Ok(BearerToken::new(signed["token"].as_str().ok_or("no token")?)?)
        };
        let token = runtime.block_on(server.verify(&sign(json!({}))?)).map_err(|error| format!("{claims}: {error}"))?;
        let subject_seen = match token.subject() {
            Subject::User(id) => id.as_str(),
            Subject::Machine(id) => id.as_str(),
            _ => "another",
        };
        let seen = (subject_seen, token.organization_id().map(OrganizationId::as_str), token.scopes());
        if seen != (subject.as_str(), claims["org_id"].as_str(), &scopes) {
            return Err(format!("{token:?} is not {claims}").into());
        }
        if seed % 20 == 0 {
            for wrong in [
                json!({"isForged": true}),
                json!({"isForged": true, "alg": "ES256"}),
                json!({"alg": "PS256", "isForged": true}),
                json!({"claims": {"aud": "https://other.example.com"}}),
                json!({"claims": {"iss": "https://other.example.com"}}),
                json!({"claims": {"exp": now - 61}}),
                json!({"claims": {"sid": "session_1"}}),
            ] {
                if runtime.block_on(server.verify(&sign(wrong.clone())?)).is_ok() {
                    return Err(format!("a token of `jose` is accepted with {wrong}").into());
                }
            }
        }
    }

    let authkit = runtime.block_on(AuthKit::start())?;
    for seed in 0..SESSIONS {
        let mut dice = Dice(seed);
        let (scopes, id) = (format!("read:posts {}", dice.token(20)), format!("org_{seed}"));
        let token = authkit.connect_token().audience(RESOURCE).scopes(&*scopes).organization(&*id).sign()?;
        let verify = |audience: &str| json!({"op": "verifyToken", "token": token.expose_secret(), "issuer": authkit.issuer().as_str(), "audience": audience});
        let seen = node.ask(&verify(RESOURCE))?;
        if seen["scope"] != *scopes || seen["org_id"] != *id || seen["client_id"] != "client_test_connect" {
            return Err(format!("`jose` reads {seen}").into());
        }
        if node.ask(&verify("https://other.example.com")).is_ok() {
            return Err("`jose` takes a token for another audience".into());
        }
    }
    println!("{SESSIONS} access tokens of Connect each way, with `jose`");
    Ok(())
}

/// What the guide must name: classes with their methods, and options with their fields.
const NAMED: &[&str] = &[
    "@workos-inc/node class UserManagement",
    "@workos-inc/node class CookieSession",
    "@workos-inc/node class MultiFactorAuth",
    "@workos-inc/node class SSO",
    "@workos-inc/node class PKCE",
    "@workos-inc/node interface WorkOSOptions",
    "@workos-inc/node interface AuthenticateWithOptionsBase",
    "@workos-inc/node interface AuthenticateWithCodeOptions",
    "@workos-inc/node interface AuthenticateWithMagicAuthOptions",
    "@workos-inc/node interface AuthenticateWithPasswordOptions",
    "@workos-inc/node interface AuthenticateWithRefreshTokenOptions",
    "@workos-inc/node interface AuthenticateWithTotpOptions",
    "@workos-inc/node interface AuthenticateWithEmailVerificationOptions",
    "@workos-inc/node interface AuthenticateWithOrganizationSelectionOptions",
    "@workos-inc/node interface AuthenticateWithRadarEmailChallengeOptions",
    "@workos-inc/node interface AuthenticateWithRadarSmsChallengeOptions",
    "@workos-inc/node interface SendRadarSmsChallengeOptions",
    "@workos-inc/node interface AuthenticateWithSessionOptions",
    "@workos-inc/node interface AuthenticateWithSessionCookieOptions",
    "@workos-inc/node interface UserManagementAuthorizationURLBaseOptions",
    "@workos-inc/node interface SSOAuthorizationURLBaseFields",
    "@workos-inc/node interface LogoutURLOptions",
    "@workos/authkit-session class AuthService",
    "@workos/authkit-session interface AuthKitConfig",
    "@workos/authkit-session interface AuthUrlOptions",
    "@workos-inc/authkit-nextjs interface AuthkitOptions",
    "@workos-inc/authkit-nextjs interface AuthkitMiddlewareOptions",
    "@workos-inc/authkit-nextjs interface GetAuthURLOptions",
    "@workos-inc/authkit-nextjs interface HandleAuthOptions",
    "@workos-inc/authkit-nextjs interface SwitchToOrganizationOptions",
];

fn guide_is_complete(node: &mut Node) -> Outcome {
    let guide = include_str!("../../docs/coming-from-node.md");
    let answer = node.ask(&json!({"op": "names", "types": NAMED}))?;
    let (mut missing, mut total) = (Vec::new(), 0);
    for (place, names) in answer.as_object().ok_or("no names")? {
        let names =
            names.as_array().filter(|names| names.len() > 1).ok_or_else(|| format!("{place} has no members"))?;
        for name in names.iter().filter_map(Value::as_str) {
            total += 1;
            // `name`, or `name(…)`.
            if !guide.contains(&format!("`{name}`")) && !guide.contains(&format!("`{name}(")) {
                missing.push(format!("{name} of {place}"));
            }
        }
    }
    if !missing.is_empty() {
        return Err(format!("docs/coming-from-node.md doesn't have {}", missing.join(", ")).into());
    }
    println!("the guide has each of the {total} calls and options");
    Ok(())
}

fn same(session: &SessionParts, response: &Value) -> Result<(), &'static str> {
    let check = |same: bool, what| if same { Ok(()) } else { Err(what) };
    let user: User =
        serde_json::from_value(response["user"].clone()).map_err(|_| "nothing can be read, so the user")?;
    let text = |name: &str| response[name].as_str();
    check(session.user == user, "the user")?;
    check(session.organization_id.as_ref().map(OrganizationId::as_str) == text("organization_id"), "the organization")?;
    check(
        session.authentication_method.as_ref().map(AuthenticationMethod::as_str) == text("authentication_method"),
        "the method",
    )?;
    let impersonator = serde_json::from_value(response["impersonator"].clone()).map_err(|_| "the impersonator")?;
    let impersonator: Option<Impersonator> = impersonator;
    check(session.impersonator == impersonator, "the impersonator")?;
    check(Some(session.access_token.expose_secret()) == text("access_token"), "the access token")
}

fn session(client: &ConfidentialClient, response: &Value) -> Outcome<OpenedSession<Confidential>> {
    let text = |name: &str| response[name].as_str().map(str::to_owned);
    let mut parts = SessionParts::new(
        serde_json::from_value(response["user"].clone())?,
        AccessToken::new(text("access_token").ok_or("no access token")?),
        RefreshToken::new(text("refresh_token").ok_or("no refresh token")?),
    );
    parts.organization_id = text("organization_id").map(OrganizationId::new).transpose()?;
    parts.authentication_method = text("authentication_method").map(|method| method.as_str().into());
    parts.impersonator = serde_json::from_value(response["impersonator"].clone())?;
    Ok(client.session(parts))
}

/// What is there; `null` and absent mean the same.
fn present(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let there = fields.iter().filter(|(_, value)| !value.is_null());
            there.map(|(name, value)| (name.clone(), present(value))).collect::<Map<_, _>>().into()
        }
        other => other.clone(),
    }
}

/// The fields that may be absent.
fn fields(response: &Value) -> impl Iterator<Item = (&'static str, &Value)> {
    let user = [
        "name",
        "first_name",
        "last_name",
        "profile_picture_url",
        "last_sign_in_at",
        "locale",
        "external_id",
        "metadata",
    ];
    let session = ["organization_id", "authentication_method", "impersonator"];
    user.into_iter()
        .map(|name| (name, &response["user"][name]))
        .chain(session.into_iter().map(|name| (name, &response[name])))
}

/// `SplitMix64`: the same sessions in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }

    fn text(&mut self, longest: u64) -> String {
        const ALPHABET: &[char] = &[
            'a', 'Z', '0', ' ', '-', '_', '.', '/', '+', '=', '"', '\\', '\'', '<', '&', '*', '~', '\n', '\t', '\u{1}',
            'é', 'Ł', 'ß', 'Ω', 'ж', '中', '한', '\u{301}', '\u{2028}', '🦀', '👩',
        ];
        let length = 1 + self.roll(longest);
        (0..length).map(|_| ALPHABET[usize::try_from(self.roll(ALPHABET.len() as u64)).unwrap()]).collect()
    }

    fn token(&mut self, longest: u64) -> String {
        const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let length = 1 + self.roll(longest);
        (0..length).map(|_| char::from(ALPHABET[usize::try_from(self.roll(64)).unwrap()])).collect()
    }

    /// There, `null` or absent.
    fn perhaps(&mut self, object: &mut Value, name: &str, value: impl FnOnce(&mut Self) -> Value) {
        match self.roll(4) {
            0 => {}
            1 => object[name] = Value::Null,
            _ => object[name] = value(self),
        }
    }

    fn date(&mut self) -> String {
        let (day, hour, millisecond) = (1 + self.roll(28), self.roll(24), self.roll(1000));
        format!("2026-0{}-{day:02}T{hour:02}:59:07.{millisecond:03}Z", 1 + self.roll(9))
    }

    /// A response of the API, with 0 to 3 kB of metadata.
    fn response(&mut self) -> Value {
        let mut user = json!({
            "object": "user", "id": format!("user_{}", self.roll(u64::MAX)), "email": "åsa@exämple.com",
            "email_verified": self.roll(2) == 0, "created_at": self.date(), "updated_at": self.date(),
        });
        for name in ["name", "first_name", "last_name", "external_id"] {
            self.perhaps(&mut user, name, |dice| dice.text(40).into());
        }
        self.perhaps(&mut user, "profile_picture_url", |_| "https://example.com/a/b?c=d&e=%20".into());
        self.perhaps(&mut user, "locale", |_| "sv-SE".into());
        self.perhaps(&mut user, "last_sign_in_at", |dice| dice.date().into());
        self.perhaps(&mut user, "metadata", |dice| {
            let entries = dice.roll(16);
            (0..entries)
                .map(|entry| (format!("{entry}{}", dice.text(10)), dice.text(200).into()))
                .collect::<Map<_, _>>()
                .into()
        });
        let mut response = json!({"user": user, "refresh_token": self.token(60)});
        self.perhaps(&mut response, "organization_id", |dice| format!("org_{}", dice.roll(u64::MAX)).into());
        let methods = ["Password", "MagicAuth", "GoogleOAuth", "SomethingNew"];
        self.perhaps(&mut response, "authentication_method", |dice| {
            methods[usize::try_from(dice.roll(4)).unwrap()].into()
        });
        self.perhaps(&mut response, "impersonator", |dice| {
            let mut by = json!({"email": "support@example.com"});
            dice.perhaps(&mut by, "reason", |dice| dice.text(80).into());
            by
        });
        // The SDK for Node takes the organization from the token.
        let claims = json!({"org_id": response["organization_id"], "padding": self.token(1000)}).to_string();
        response["access_token"] = format!("e30.{}.{}", BASE64_URL_SAFE_NO_PAD.encode(claims), self.token(300)).into();
        response
    }
}

struct Node {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Node {
    fn start() -> Outcome<Self> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/peer.mjs");
        let mut child = Command::new("node").arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let input = child.stdin.take().ok_or("no way in")?;
        let output = BufReader::new(child.stdout.take().ok_or("no way out")?);
        Ok(Self { child, input, output })
    }

    fn ask(&mut self, command: &Value) -> Outcome<Value> {
        writeln!(self.input, "{command}")?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        let answer: Value = serde_json::from_str(&line)?;
        if let Some(reason) = answer["failed"].as_str() { Err(reason.into()) } else { Ok(answer) }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
