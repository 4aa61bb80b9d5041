//! Sealed sessions that go to and fro between this crate, the WorkOS SDK for Node and iron-session, which authkit-nextjs uses.
//!
//! It needs Node and `npm ci --prefix tests/interop`, so it runs where `WORKOS_INTEROP` is set, and there it must run.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use workos_auth::login::{AuthenticationMethod, Impersonator};
use workos_auth::session::SessionParts;
use workos_auth::testing::{AuthKit, TestUser};
use workos_auth::{
    AccessToken, Client, Confidential, ConfidentialClient, CookiePassword, EmailAddress, ExposeSecret, OpenedSession,
    OrganizationId, Password, RefreshToken, SessionCookie, User,
};

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
    live(&mut node)
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
        let builder = Client::builder().client_id(authkit.client_id()).api_key(authkit.api_key());
        let client = builder.base_url(authkit.base_url()).build()?;
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
