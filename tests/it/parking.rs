//! Logins that cross a restart: sealed strings, stores, the login cookie. Nothing here talks to a server.

use std::time::{Duration, SystemTime};

use workos_auth::error::{CallbackError, ParkedError};
use workos_auth::parking::{DirectoryPkceStore, LoginCookies, LoginHandle, MemoryPkceStore, Parking, PkceStore};
use workos_auth::secret::PendingAuthenticationToken;
use workos_auth::step::{EmailVerification, OrganizationSelection, RadarSmsCode, TotpChallenge};
use workos_auth::testing::ManualClock;
use workos_auth::{
    Callback, Client, Confidential, ConfidentialClient, CookiePassword, Error, ErrorKind, ExposeSecret, PkceSession,
    Public, PublicClient, RedirectUri, ReturnPath, SetCookie,
};

use crate::support::Outcome;
use crate::support::clients;
use crate::support::login;

const BASE_URL: &str = "http://127.0.0.1:9";

fn clock() -> ManualClock {
    ManualClock::new(SystemTime::now())
}

fn client(clock: &ManualClock) -> ConfidentialClient {
    let builder = clients::confidential(BASE_URL);
    builder.clock(clock.clone()).build().unwrap()
}

fn public() -> PublicClient {
    clients::public(BASE_URL).build().unwrap()
}

fn parking() -> Parking {
    Parking::new(CookiePassword::new("0123456789abcdef0123456789abcdef").unwrap())
}

fn redirect() -> RedirectUri {
    RedirectUri::new("https://example.com/callback").unwrap()
}

fn begin<K: workos_auth::typestate::HasClientId>(client: &Client<K>) -> PkceSession<K> {
    client.authorize(redirect()).authkit().return_path(ReturnPath::new("/inbox?x=1").unwrap()).begin().unwrap()
}

fn callback<K>(session: &PkceSession<K>) -> Callback {
    login::callback(session.url())
}

/// What a browser sends of a cookie.
fn pair(cookie: &SetCookie) -> String {
    format!("{}={}", cookie.name(), cookie.expose_secret())
}

fn reason(error: impl Into<Error>) -> ParkedError {
    match error.into().kind() {
        ErrorKind::Parked(reason) => *reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_login_is_resumed_elsewhere() -> Outcome {
    let clock = clock();
    let session = begin(&client(&clock));
    let (callback, url) = (callback(&session), session.url().clone());
    let sealed = parking().park(session)?;
    assert!(sealed.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)), "{sealed}");

    let session = parking().resume_login(&client(&clock), &redirect(), &sealed)?;
    assert_eq!(session.url().as_str(), url.as_str());
    assert_eq!(session.return_path().map(ReturnPath::as_str), Some("/inbox?x=1"));
    assert!(session.exchange(callback).is_ok());
    Ok(())
}

#[test]
fn every_reason_not_to_resume_has_its_own_error() -> Outcome {
    let clock = clock();
    let here = client(&clock);
    let sealed = parking().park(begin(&here))?;
    let resume = |sealed: &str| parking().resume_login(&here, &redirect(), sealed).map(drop).map_err(reason);

    assert_eq!(resume(&sealed), Ok(()));
    let middle = sealed.len() / 2;
    let other = if sealed[middle..].starts_with('A') { "B" } else { "A" };
    let changed = format!("{}{other}{}", &sealed[..middle], &sealed[middle + 1..]);
    for (damaged, expected) in [
        (String::new(), ParkedError::Malformed),
        ("nonsense".to_owned(), ParkedError::Malformed),
        ("wa1.".to_owned(), ParkedError::Malformed),
        ("wa1.!!!!".to_owned(), ParkedError::Malformed),
        (sealed[..30].to_owned(), ParkedError::Malformed),
        (sealed.replace("wa1.", "wa2."), ParkedError::UnknownVersion),
        (changed, ParkedError::Tampered),
    ] {
        assert_eq!(resume(&damaged), Err(expected), "{damaged}");
    }
    let other = Parking::new(CookiePassword::new("fedcba9876543210fedcba9876543210")?);
    assert_eq!(
        other.resume_login(&here, &redirect(), &sealed).map(drop).map_err(reason),
        Err(ParkedError::WrongPassword)
    );
    let elsewhere = RedirectUri::new("https://example.com/other")?;
    assert_eq!(
        parking().resume_login(&here, &elsewhere, &sealed).map(drop).map_err(reason),
        Err(ParkedError::WrongRedirectUri)
    );
    let theirs = here.with_client_id("client_456".parse()?);
    assert_eq!(
        parking().resume_login(&theirs, &redirect(), &sealed).map(drop).map_err(reason),
        Err(ParkedError::WrongClient)
    );
    let staging = clients::confidential("http://127.0.0.1:10");
    let staging = staging.clock(clock.clone()).build()?;
    assert_eq!(
        parking().resume_login(&staging, &redirect(), &sealed).map(drop).map_err(reason),
        Err(ParkedError::WrongBaseUrl)
    );
    let step: Result<TotpChallenge<Confidential>, Error> = parking().resume_step(&here, &sealed);
    assert_eq!(step.map(drop).map_err(reason), Err(ParkedError::WrongKind));

    clock.advance(Duration::from_secs(599));
    assert_eq!(resume(&sealed), Ok(()));
    clock.advance(Duration::from_secs(1));
    assert_eq!(resume(&sealed), Err(ParkedError::Expired));
    let longer = parking().lifetime(Duration::from_secs(3600)).park(begin(&here))?;
    clock.advance(Duration::from_secs(3000));
    assert_eq!(resume(&longer), Ok(()));
    Ok(())
}

#[test]
fn what_a_retired_password_sealed_is_resumed() -> Outcome {
    let clock = clock();
    let here = client(&clock);
    let password = |letter: &str| CookiePassword::new(letter.repeat(32));
    let (old, older) = (Parking::new(password("b")?), Parking::new(password("c")?));
    let now = Parking::new(password("a")?).retired_password(password("b")?).retired_password(password("c")?);
    let step = |parking: &Parking| {
        parking
            .park(TotpChallenge::from_parts(&here, PendingAuthenticationToken::new("p"), "auth_challenge_1".parse()?))
            .map_err(Error::from)
    };
    for parking in [&old, &older, &now] {
        let sealed = parking.park(begin(&here))?;
        assert!(now.resume_login(&here, &redirect(), &sealed).is_ok());
        let resumed: TotpChallenge<Confidential> = now.resume_step(&here, &step(parking)?)?;
        assert_eq!(resumed.id().as_str(), "auth_challenge_1");
        let sso = here.authorize_sso(redirect(), "conn_1".parse::<workos_auth::id::ConnectionId>()?).begin()?;
        assert!(now.resume_sso_login(&here, &redirect(), &parking.park(sso)?).is_ok());

        // In the cookie of a browser, too.
        let session = begin(&here);
        let callback = callback(&session);
        let set = LoginCookies::from_header("").begin(parking, session)?;
        let header = pair(&set[0]);
        let cookies = LoginCookies::from_header(&header);
        assert!(cookies.resume(&now, &here, &redirect(), &callback).is_ok());
    }
    // It seals nothing any more, and the others don't know the new one.
    let sealed = now.park(begin(&here))?;
    let unknown = old.resume_login(&here, &redirect(), &sealed).map(drop).map_err(reason);
    assert_eq!(unknown, Err(ParkedError::WrongPassword));
    let foreign = Parking::new(password("d")?).park(begin(&here))?;
    let unknown = now.resume_login(&here, &redirect(), &foreign).map(drop).map_err(reason);
    assert_eq!(unknown, Err(ParkedError::WrongPassword));
    // A seal that was changed fails, whatever the password.
    let mut changed = old.park(begin(&here))?;
    changed.pop();
    changed.pop();
    changed.push_str("AA");
    assert_eq!(now.resume_login(&here, &redirect(), &changed).map(drop).map_err(reason), Err(ParkedError::Tampered));
    assert!(!format!("{now:?}").contains("bbbb"));
    Ok(())
}

#[test]
fn every_single_character_is_guarded() -> Outcome {
    let clock = clock();
    let here = client(&clock);
    let sealed = parking().park(begin(&here))?;
    for (index, byte) in sealed.bytes().enumerate() {
        let mut damaged = sealed.clone().into_bytes();
        damaged[index] = if byte == b'A' { b'B' } else { b'A' };
        let damaged = String::from_utf8(damaged)?;
        let error = parking().resume_login(&here, &redirect(), &damaged).map(drop).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Parked(_)), "{index}: {error:?}");
    }
    Ok(())
}

#[test]
fn steps_are_parked_with_what_they_show() -> Outcome {
    let clock = clock();
    let client = client(&clock);
    let pending = || PendingAuthenticationToken::new("canary-pending");
    let parking = parking();

    let sealed = parking.park(TotpChallenge::from_parts(&client, pending(), "auth_challenge_1".parse()?))?;
    assert!(!sealed.contains("canary"));
    let step: TotpChallenge<Confidential> = parking.resume_step(&client, &sealed)?;
    assert_eq!(step.id().as_str(), "auth_challenge_1");

    let sealed = parking.park(OrganizationSelection::from_parts(&client, pending()))?;
    let step: OrganizationSelection<Confidential> = parking.resume_step(&client, &sealed)?;
    assert!(step.organizations().is_empty());
    let sealed = parking.park(EmailVerification::from_parts(&client, pending()))?;
    let _: EmailVerification<Confidential> = parking.resume_step(&client, &sealed)?;
    let sms = RadarSmsCode::from_parts(&client, pending(), "verification_1".parse()?, "+15005550006".parse()?);
    let sealed = parking.park(sms)?;
    let _: RadarSmsCode<Confidential> = parking.resume_step(&client, &sealed)?;
    let wrong: Result<EmailVerification<Confidential>, Error> = parking.resume_step(&client, &sealed);
    assert_eq!(wrong.map(drop).map_err(reason), Err(ParkedError::WrongKind));
    Ok(())
}

/// What every store must do, for public clients too.
async fn check(store: &impl PkceStore) -> Outcome {
    let client = public();
    let session = begin(&client);
    let true_callback = callback(&session);
    let (_, handle) = session.store(store).await?;
    let handle = LoginHandle::new(handle.expose_secret().to_owned());

    for forged in ["code=evil&state=forged", "error=access_denied&state=forged"] {
        let forged = Callback::from_query(forged)?;
        let error = client.resume_login(store, &handle, &redirect(), &forged).await.unwrap_err();
        assert_eq!(reason(error), ParkedError::NotFound);
    }
    let stateless = client.resume_login(store, &handle, &redirect(), &Callback::from_query("code=a")?).await;
    assert!(matches!(stateless.unwrap_err().kind(), ErrorKind::Callback(CallbackError::MissingState)));
    let unknown = LoginHandle::new("unknown");
    let error = client.resume_login(store, &unknown, &redirect(), &true_callback).await.unwrap_err();
    assert_eq!(reason(error), ParkedError::NotFound);

    // Nothing of that has removed the login; of two that take it, one gets it.
    let uri = redirect();
    let (first, second) = tokio::join!(
        client.resume_login(store, &handle, &uri, &true_callback),
        client.resume_login(store, &handle, &uri, &true_callback),
    );
    let (taken, missed) = if first.is_ok() { (first, second) } else { (second, first) };
    assert_eq!(reason(missed.map(drop).unwrap_err()), ParkedError::NotFound);
    let session: PkceSession<Public> = taken?;
    assert_eq!(session.return_path().map(ReturnPath::as_str), Some("/inbox?x=1"));
    assert!(session.exchange(true_callback).is_ok());
    Ok(())
}

#[tokio::test]
async fn the_memory_store_gives_each_login_once() -> Outcome {
    check(&MemoryPkceStore::new()).await
}

fn directory(name: &str) -> std::path::PathBuf {
    let directory =
        std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&directory);
    directory
}

#[tokio::test]
async fn the_directory_store_gives_each_login_once() -> Outcome {
    check(&DirectoryPkceStore::open(directory("once"))?).await
}

#[cfg(unix)]
#[tokio::test]
async fn the_directory_is_private_and_holds_no_secret_in_plain_text() -> Outcome {
    use std::os::unix::fs::PermissionsExt;

    let path = directory("private");
    let store = DirectoryPkceStore::open(&path)?;
    let session = begin(&public());
    let callback = callback(&session);
    let state = login::state(session.url());
    let (_, handle) = session.store(&store).await?;
    assert_eq!(std::fs::metadata(&path)?.permissions().mode() & 0o777, 0o700);
    let files: Vec<_> = std::fs::read_dir(&path)?.collect::<Result<_, _>>()?;
    assert_eq!(files.len(), 1, "no temporary file is left");
    assert_eq!(files[0].metadata()?.permissions().mode() & 0o777, 0o600);
    let content = std::fs::read_to_string(files[0].path())?;
    let name = files[0].file_name().into_string().unwrap();
    for secret in [state.as_str(), handle.expose_secret(), "code_verifier", "inbox"] {
        assert!(!content.contains(secret) && !name.contains(secret), "{secret} in {name}: {content}");
    }
    drop(public().resume_login(&store, &handle, &redirect(), &callback).await?);
    assert_eq!(std::fs::read_dir(&path)?.count(), 0);
    Ok(())
}

#[tokio::test]
async fn a_stored_login_expires_and_is_swept() -> Outcome {
    let path = directory("swept");
    let store = DirectoryPkceStore::open(&path)?;
    let past = ManualClock::new(SystemTime::now() - Duration::from_secs(601));
    let late = clients::public(BASE_URL).clock(past).build()?;
    let session = begin(&late);
    let late_callback = callback(&session);
    let (_, handle) = session.store(&store).await?;
    let error = public().resume_login(&store, &handle, &redirect(), &late_callback).await.unwrap_err();
    assert_eq!(reason(error), ParkedError::Expired);

    // The store's own lifetime counts.
    let patient = DirectoryPkceStore::open(&path)?.lifetime(Duration::from_secs(3600));
    let session = begin(&late);
    let callback = callback(&session);
    let (_, handle) = session.store(&patient).await?;
    assert!(public().resume_login(&patient, &handle, &redirect(), &callback).await.is_ok());

    let _ = begin(&late).store(&store).await?;
    let _ = begin(&public()).store(&store).await?;
    assert_eq!(std::fs::read_dir(&path)?.count(), 1, "the stale one is gone");
    Ok(())
}

#[tokio::test]
async fn a_store_sweeps_by_the_clock_that_dates_its_logins() -> Outcome {
    let directory = DirectoryPkceStore::open(directory("dated"))?;
    let memory = MemoryPkceStore::new();
    for day in ["2001-01-01T00:00:00Z", "2101-01-01T00:00:00Z"] {
        dated(&directory, day).await?;
        dated(&memory, day).await?;
    }
    Ok(())
}

/// Two logins of one client, whose clock is not the machine's: what it doesn't hold for expired stays.
async fn dated(store: &impl PkceStore, now: &str) -> Outcome {
    let clock = clients::clock_at(now);
    let client = clients::public(BASE_URL).clock(clock.clone()).build()?;
    let first = begin(&client);
    let first_callback = callback(&first);
    let (_, first) = first.store(store).await?;
    clock.advance(Duration::from_secs(599));
    let _ = begin(&client).store(store).await?;
    assert!(client.resume_login(store, &first, &redirect(), &first_callback).await.is_ok(), "{now}");

    let second = begin(&client);
    let second_callback = callback(&second);
    let (_, second) = second.store(store).await?;
    clock.advance(Duration::from_secs(600));
    let _ = begin(&client).store(store).await?;
    let swept = client.resume_login(store, &second, &redirect(), &second_callback).await.map(drop).map_err(reason);
    assert_eq!(swept, Err(ParkedError::NotFound), "{now}");
    Ok(())
}

#[cfg(unix)]
#[allow(clippy::unnecessary_debug_formatting, reason = "the errors quote paths so")]
mod shared_machines {
    use std::fs::{self, File, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::Path;
    use std::time::SystemTime;

    use super::*;
    use crate::support::users::{at_once, pipe, superuser_and_nobody};

    /// A login comes and goes, whatever else is in the directory.
    fn comes_and_goes(store: DirectoryPkceStore) -> Result<(), String> {
        at_once(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move { check(&store).await.map_err(|error| format!("{error:?}")) })
        })
    }

    const EXPIRED: &str = r#"{"state_hash":"00","stored":"2001-01-01T00:00:00Z","expires":"2001-01-01T00:10:00Z",
        "sealed":"wa1.00"}"#;

    #[test]
    fn what_is_no_login_is_passed_over() -> Outcome {
        let path = directory("passed-over");
        let store = DirectoryPkceStore::open(&path)?;
        let target = path.join("target");
        fs::write(&target, EXPIRED)?;
        pipe(&path.join("pipe.login"))?;
        pipe(&path.join("pipe.login.0123456789abcdef.new"))?;
        fs::create_dir(path.join("directory.login"))?;
        symlink(&target, path.join("link.login"))?;
        fs::write(path.join("garbage.login"), [0xff; 9])?;
        comes_and_goes(store)?;
        let mut left: Vec<_> = fs::read_dir(&path)?.map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left.len(), 6, "{left:?}");
        Ok(fs::remove_dir_all(path)?)
    }

    #[test]
    fn a_login_that_others_can_touch_is_not_taken() -> Outcome {
        let path = directory("touched");
        let store = DirectoryPkceStore::open(&path)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let session = begin(&public());
        let callback = callback(&session);
        let (_, handle) = runtime.block_on(session.store(&store))?;
        let file = fs::read_dir(&path)?.next().ok_or("no login")??.path();
        let take = || runtime.block_on(public().resume_login(&store, &handle, &redirect(), &callback));
        fs::set_permissions(&file, Permissions::from_mode(0o644))?;
        let error = take().unwrap_err();
        assert_eq!(reason(error.clone()), ParkedError::Store);
        let source = std::error::Error::source(&error).ok_or("no source")?.to_string();
        assert!(source.contains(&format!("`chmod 600 {file:?}`")), "{source}");
        fs::set_permissions(&file, Permissions::from_mode(0o600))?;
        let aside = path.join("aside");
        fs::rename(&file, &aside)?;
        symlink(&aside, &file)?;
        assert_eq!(take().map(drop).map_err(reason), Err(ParkedError::Store));
        fs::rename(&aside, &file)?;
        drop(take()?);
        Ok(())
    }

    #[test]
    fn what_processes_that_died_have_left_is_swept() -> Outcome {
        let path = directory("died");
        let store = DirectoryPkceStore::open(&path)?;
        let (old, young) = (path.join("a.login.0123456789abcdef.new"), path.join("b.login.0123456789abcdef.new"));
        for file in [&old, &young] {
            fs::write(file, "{")?;
        }
        File::options().write(true).open(&old)?.set_modified(SystemTime::now() - Duration::from_secs(120))?;
        comes_and_goes(store)?;
        assert!(!old.exists() && young.exists(), "the young one may be somebody's at work");
        Ok(())
    }

    #[test]
    fn logins_of_another_user_block_nobody() -> Outcome {
        superuser_and_nobody(
            "parking::shared_machines::logins_of_another_user_block_nobody",
            |directory: &Path| {
                for (name, mode) in [("expired.login", 0o644), ("closed.login", 0o600)] {
                    fs::write(directory.join(name), EXPIRED)?;
                    fs::set_permissions(directory.join(name), Permissions::from_mode(mode))?;
                }
                Ok(())
            },
            |directory| Ok(comes_and_goes(DirectoryPkceStore::open(directory)?)?),
        )
    }
}

#[test]
fn login_cookies_stand_side_by_side_and_stale_ones_go() -> Outcome {
    let clock = clock();
    let client = client(&clock);
    let (first, second) = (begin(&client), begin(&client));
    let (first_callback, second_callback) = (callback(&first), callback(&second));
    let first = LoginCookies::from_header("theme=dark").begin(&parking(), first)?;
    let second = LoginCookies::from_header("").begin(&parking(), second)?;
    let text = first[0].expose_header();
    for attribute in ["HttpOnly", "Secure", "SameSite=Lax", "Path=/", "Max-Age=600"] {
        assert!(text.contains(attribute), "{attribute} is missing in {text}");
    }
    assert_ne!(first[0].name(), second[0].name());

    let header = format!("theme=dark; {}; {}", pair(&first[0]), pair(&second[0]));
    let cookies = LoginCookies::from_header(&header);
    for callback in [second_callback, first_callback] {
        let (session, clear) = cookies.resume(&parking(), &client, &redirect(), &callback)?;
        assert!(header.contains(clear.name()) && clear.is_clearing() && clear.expose_secret().is_empty());
        assert!(clear.expose_header().contains("Max-Age=0"));
        assert!(session.exchange(callback).is_ok());
    }
    // What another host of the domain has planted is not looked at.
    let third = begin(&client);
    let third_callback = callback(&third);
    let third = LoginCookies::from_header("").begin(&parking(), third)?;
    assert!(third[0].name().starts_with("__Host-"));
    let planted = pair(&third[0]).replace("__Host-", "");
    let planted = LoginCookies::from_header(&planted);
    let error = planted.resume(&parking(), &client, &redirect(), &third_callback).map(drop).unwrap_err();
    assert_eq!(reason(error), ParkedError::NoCookie);

    let forged = Callback::from_query("code=evil&state=forged")?;
    let error = cookies.resume(&parking(), &client, &redirect(), &forged).map(drop).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the request has no login cookie for this callback: begin the login again in the same browser, on the same host"
    );
    assert_eq!(reason(error), ParkedError::NoCookie);

    let many: Vec<String> = (0..7).map(|index| format!("__Host-workos-login-{index}=x")).collect();
    let set = LoginCookies::from_header(&many.join("; ")).begin(&parking(), begin(&client))?;
    let cleared: Vec<&str> = set[1..].iter().map(SetCookie::name).collect();
    assert_eq!(
        cleared,
        ["__Host-workos-login-0", "__Host-workos-login-1", "__Host-workos-login-2"],
        "five remain, the new one among them"
    );

    let local = client.authorize(RedirectUri::new("http://localhost:3000/callback")?).authkit().begin()?;
    let set = LoginCookies::from_header("").begin(&parking(), local)?;
    assert!(!set[0].expose_header().contains("Secure"), "a browser drops a Secure cookie of plain http");
    Ok(())
}

/// A login with a return path of this many bytes.
fn begin_long<K: workos_auth::typestate::HasClientId>(client: &Client<K>, bytes: usize) -> PkceSession<K> {
    let path = ReturnPath::new(format!("/{}", "p".repeat(bytes - 1))).unwrap();
    client.authorize(redirect()).authkit().return_path(path).begin().unwrap()
}

#[test]
fn login_cookies_stay_small_and_the_oldest_go_first() -> Outcome {
    let client = client(&clock());
    // What the browser holds, oldest first, as it sends it.
    let mut held: Vec<(String, String)> = Vec::new();
    for round in 0..20 {
        let line = held.iter().map(|(_, pair)| pair.as_str()).collect::<Vec<_>>().join("; ");
        let set = LoginCookies::from_header(&line).begin(&parking(), begin_long(&client, 1_024))?;
        let cleared: Vec<_> = set[1..].iter().map(|cookie| cookie.name().to_owned()).collect();
        assert!(held.iter().map(|(name, _)| name).take(cleared.len()).eq(&cleared), "round {round}: {cleared:?}");
        held.drain(..cleared.len());
        held.push((set[0].name().to_owned(), pair(&set[0])));
        let bytes: usize = held.iter().map(|(_, pair)| pair.len() + 2).sum();
        assert!(bytes <= 6_000, "round {round}: {bytes}");
        assert!(round == 0 || held.len() > 1, "several logins go on side by side");
    }

    // Small ones are five at most, whatever of them was planted without the prefix, or with another name.
    let many = |count: usize, pair: &dyn Fn(usize) -> String| (0..count).map(pair).collect::<Vec<_>>();
    let mut line = many(50, &|index| format!("workos-login-{index:016x}={}", "x".repeat(500)));
    line.extend(many(50, &|index| format!("__Host-workos-logout-{index}=x; \u{2003}__Host-workos-login-{index}=x")));
    line.extend(many(4, &|index| format!("__Host-workos-login-{index:016x}=x")));
    let set = LoginCookies::from_header(&line.join("; ")).begin(&parking(), begin(&client))?;
    assert_eq!(set.len(), 1, "nothing is evicted: {set:?}");
    line.push("__Host-workos-login-4=x; caf\u{e9}=1".to_owned());
    let set = LoginCookies::from_header(&line.join("; ")).begin(&parking(), begin(&client))?;
    assert_eq!(set[1..].iter().map(SetCookie::name).collect::<Vec<_>>(), ["__Host-workos-login-0000000000000000"]);

    // Over plain http, which is loopback, it is the other way round.
    let local = client.authorize(RedirectUri::new("http://localhost:3000/callback")?).authkit().begin()?;
    let line = many(9, &|index| format!("__Host-workos-login-{index}=x"));
    let set = LoginCookies::from_header(&line.join("; ")).begin(&parking(), local)?;
    assert_eq!(set.len(), 1);
    assert!(set[0].name().starts_with("workos-login-"));
    Ok(())
}

#[test]
fn a_login_that_no_cookie_can_hold_is_given_back() -> Outcome {
    let client = client(&clock());
    let mut sizes = (0, 0);
    for bytes in (1_800..2_600).step_by(7) {
        let session = begin_long(&client, bytes);
        let url = session.url().clone();
        match LoginCookies::from_header("").begin(&parking(), session) {
            Ok(set) => {
                assert!(pair(&set[0]).len() - 1 <= 4_096);
                sizes.0 += 1;
            }
            Err(rejected) => {
                let reason = reason(rejected.error().clone());
                assert!(matches!(reason, ParkedError::TooLarge { bytes } if bytes > 4_096), "{reason:?}");
                let session = rejected.recover()?;
                assert_eq!(session.url().as_str(), url.as_str());
                sizes.1 += 1;
            }
        }
    }
    assert!(sizes.0 > 0 && sizes.1 > 0, "{sizes:?}");
    Ok(())
}

#[test]
fn a_login_cookie_that_came_twice_is_none() -> Outcome {
    let client = client(&clock());
    let (session, other) = (begin(&client), begin(&client));
    let callback = callback(&session);
    let (set, other) = (
        LoginCookies::from_header("").begin(&parking(), session)?,
        LoginCookies::from_header("").begin(&parking(), other)?,
    );
    let planted = format!("{}={}", set[0].name(), other[0].expose_secret());
    for line in [format!("{}; {planted}", pair(&set[0])), format!("{planted}; {}", pair(&set[0]))] {
        let resumed = LoginCookies::from_header(&line).resume(&parking(), &client, &redirect(), &callback);
        assert_eq!(resumed.map(drop).map_err(reason), Err(ParkedError::NoCookie));
    }
    let twice = format!("{}; {}", pair(&set[0]), pair(&set[0]));
    assert!(LoginCookies::from_header(&twice).resume(&parking(), &client, &redirect(), &callback).is_ok());
    Ok(())
}

#[test]
fn a_cookie_shows_its_value_where_it_is_meant_to_go() -> Outcome {
    let client = client(&clock());
    let [cookie] =
        <[SetCookie; 1]>::try_from(LoginCookies::from_header("").begin(&parking(), begin(&client))?).unwrap();
    let value = cookie.expose_secret().to_owned();
    let line = format!("{}={value}; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=600", cookie.name());
    assert!(!format!("{cookie:?} {cookie:#?}").contains(&value));
    assert_eq!(cookie.expose_header(), line);
    let header = http::HeaderValue::from(&cookie);
    assert_eq!(header, line);
    assert!(header.is_sensitive());
    let line = pair(&cookie);
    let cookies = LoginCookies::from_header(&line);
    assert!(!format!("{cookies:?} {cookies:#?}").contains(&value));
    let other = cookie.clone().into_cookie();
    assert_eq!((other.name_value(), other.to_string()), ((cookie.name(), &*value), cookie.expose_header()));
    Ok(())
}

#[test]
fn return_paths_stay_on_their_origin() {
    for accepted in [
        "/",
        "/?a=/../b",
        "/#/../b",
        "/inbox?x=%0a#%2f",
        "/a//b",
        "/a%2f%5c%252f",
        "/...",
        "/.well-known/x",
        "/..a/b..",
    ] {
        assert!(ReturnPath::new(accepted).is_ok(), "{accepted}");
    }
    for refused in [
        "",
        "inbox",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil",
        "https://evil.example",
        "/a\nb",
        "/\t/evil",
        "javascript:x",
        "/.//evil.example",
        "/..//evil.example",
        "/./",
        "/.",
        "/..",
        "/..?x",
        "/%2e//evil.example",
        "/.%2E//evil.example",
        "/%2e%2e%2fevil.example",
        "/a/..//evil.example",
        // An application that decodes it, for example to redirect without a slash at the end, makes a host of it.
        "/%2fevil.example",
        "/%5cevil.example",
        "%2f/evil.example",
        "/%09/evil.example",
        "/a%5c..%5c..",
        "/a%0d%0ab",
        "/caf\u{e9}",
        "/\u{2003}/evil.example",
        "/a b",
    ] {
        assert!(ReturnPath::new(refused).is_err(), "{refused}");
    }
}

#[cfg(feature = "keyring")]
#[tokio::test]
async fn the_keyring_store_gives_each_login_once() -> Outcome {
    crate::support::keyring::mock();
    check(&workos_auth::parking::KeyringPkceStore::new("workos-auth-tests")).await
}
