//! The stores for the keyring on a real Secret Service: GNOME Keyring, on a session bus of its own for each case.
//!
//! It needs Debian's `gnome-keyring`, `dbus` and `libsecret-tools`, so it runs where `WORKOS_KEYRING` is set, and there it must run.

use std::error::Error as StdError;
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};
use workos_auth::error::ParkedError;
use workos_auth::parking::{KeyringPkceStore, LoginHandle, PkceStore, StoredLogin};
use workos_auth::secret::StoredToken;
use workos_auth::session::{KeyringTokenStore, TokenSession, TokenStore};
use workos_auth::testing::{AuthKit, Browser};
use workos_auth::{
    Callback, Client, Error, ErrorKind as WorkosErrorKind, ExposeSecret, PublicClient, RedirectUri, SessionState,
};

type Outcome<T = ()> = Result<T, Box<dyn StdError + Send + Sync>>;

const SERVICE: &str = "workos-auth-tests";
const ADA: &str = "ada@example.com";
/// How long a keyring may take that isn't waiting for its user.
const SOON: Duration = Duration::from_secs(10);
const WRITERS: usize = 4;
const ROUNDS: usize = 25;
const KILLS: u32 = 20;

/// A case, and the bus that it runs on.
type Case = (&'static str, Bus);

#[derive(Clone, Copy, PartialEq)]
enum Bus {
    /// With GNOME Keyring, which is unlocked.
    Keyring,
    /// Without a Secret Service.
    Empty,
    None,
}

const CASES: [Case; 9] = [
    ("a_token_is_kept_for_other_processes", Bus::Keyring),
    ("a_login_is_resumed_by_another_process", Bus::Keyring),
    ("writers_take_turns", Bus::Keyring),
    ("processes_that_start_together_share_one_exchange", Bus::Keyring),
    ("a_killed_writer_leaves_a_whole_token", Bus::Keyring),
    ("a_locked_keyring_says_so", Bus::Keyring),
    ("a_keyring_that_hangs_holds_nobody_up", Bus::Keyring),
    ("no_secret_service_says_so", Bus::Empty),
    ("no_session_bus_says_so", Bus::None),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    // One thread: a call that blocks it shows.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let outcome = match arguments.as_slice() {
        ["--case", name] => runtime.block_on(case(name)),
        ["--child", words @ ..] => runtime.block_on(child(words)),
        _ if std::env::var_os("WORKOS_KEYRING").is_none() => {
            println!("SKIPPED: set WORKOS_KEYRING where gnome-keyring, dbus and libsecret-tools are installed");
            Ok(())
        }
        _ => all(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Each case in a process and a home directory of its own.
fn all() -> Outcome {
    for tool in ["dbus-run-session", "dbus-send", "gnome-keyring-daemon", "secret-tool"] {
        let found = Command::new("sh").args(["-c", "command -v \"$0\"", tool]).stdout(Stdio::null()).status()?;
        assert!(found.success(), "{tool} is missing: apt-get install gnome-keyring dbus libsecret-tools");
    }
    println!("\nrunning {} tests", CASES.len());
    let mut failed = 0;
    for (name, bus) in CASES {
        let home = std::env::temp_dir().join(format!("workos-auth-keyring-{}-{name}", std::process::id()));
        fs::create_dir_all(home.join("run"))?;
        let mut command = on_a_bus(bus, &home)?;
        command.args(["--case", name]).env("HOME", &home).env("XDG_RUNTIME_DIR", home.join("run"));
        for unset in ["DISPLAY", "WAYLAND_DISPLAY", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "GNOME_KEYRING_CONTROL"] {
            command.env_remove(unset);
        }
        let (began, ended) = (Instant::now(), command.output()?);
        println!("test {name} ... {} ({:.1?})", if ended.status.success() { "ok" } else { "FAILED" }, began.elapsed());
        print!("{}", String::from_utf8_lossy(&ended.stdout));
        if !ended.status.success() {
            eprintln!("{}", String::from_utf8_lossy(&ended.stderr));
            failed += 1;
        }
        drop(fs::remove_dir_all(&home));
    }
    if failed == 0 { Ok(()) } else { Err(format!("{failed} failed").into()) }
}

/// This program, on the bus of a case.
fn on_a_bus(bus: Bus, home: &Path) -> Outcome<Command> {
    let this = std::env::current_exe()?;
    if bus == Bus::None {
        let mut command = Command::new(this);
        command.env_remove("DBUS_SESSION_BUS_ADDRESS");
        return Ok(command);
    }
    let mut command = Command::new("dbus-run-session");
    if bus == Bus::Empty {
        let config = home.join("bus.conf");
        let listen = home.join("run/socket");
        fs::write(
            &config,
            format!(
                "<busconfig><type>session</type><listen>unix:path={}</listen><policy context=\"default\"><allow \
                 send_destination=\"*\" eavesdrop=\"true\"/><allow eavesdrop=\"true\"/><allow own=\"*\"/></policy></busconfig>",
                listen.display()
            ),
        )?;
        command.arg("--config-file").arg(config);
    }
    command.arg("--").arg(this);
    Ok(command)
}

async fn case(name: &str) -> Outcome {
    let bus = CASES.into_iter().find(|(other, _)| *other == name).ok_or("no such case")?.1;
    let keyring = if bus == Bus::Keyring { Some(Daemon::unlocked().await?) } else { None };
    match (name, &keyring) {
        ("a_token_is_kept_for_other_processes", _) => token_for_other_processes().await,
        ("a_login_is_resumed_by_another_process", _) => login_for_other_processes().await,
        ("writers_take_turns", _) => writers().await,
        ("processes_that_start_together_share_one_exchange", _) => one_exchange().await,
        ("a_killed_writer_leaves_a_whole_token", _) => killed_writers().await,
        ("a_locked_keyring_says_so", _) => locked().await,
        ("a_keyring_that_hangs_holds_nobody_up", Some(keyring)) => hanging(keyring).await,
        _ => missing().await,
    }
}

/// GNOME Keyring with its login keyring, which is the default one.
struct Daemon(Child);

impl Daemon {
    async fn unlocked() -> Outcome<Self> {
        let mut daemon = Command::new("gnome-keyring-daemon");
        daemon.args(["--foreground", "--unlock", "--components=secrets"]);
        let mut daemon = daemon.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        daemon.stdin.take().ok_or("no input")?.write_all(b"the user's password")?;
        let daemon = Self(daemon);
        let patience = Instant::now() + SOON;
        while !home()?.join(".local/share/keyrings/login.keyring").exists() || secrets("probe")?.is_some() {
            assert!(Instant::now() < patience, "the keyring doesn't start");
            sleep(Duration::from_millis(20)).await;
        }
        Ok(daemon)
    }

    fn signal(&self, signal: &str) -> Outcome {
        let sent = Command::new("kill").args([signal, &self.0.id().to_string()]).status()?;
        if sent.success() { Ok(()) } else { Err("the keyring is gone".into()) }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn home() -> Outcome<PathBuf> {
    Ok(std::env::var_os("HOME").ok_or("no home")?.into())
}

/// What another program sees of the items of this account.
fn secrets(account: &str) -> Outcome<Option<String>> {
    let search =
        Command::new("secret-tool").args(["search", "--all", "service", SERVICE, "username", account]).output()?;
    let found = String::from_utf8([search.stdout, search.stderr].concat())?;
    Ok((!found.trim().is_empty()).then_some(found))
}

fn token_store() -> Outcome<KeyringTokenStore> {
    Ok(KeyringTokenStore::new(SERVICE, "ada", home()?.join("state/lock"))?)
}

fn redirect() -> Result<RedirectUri, Error> {
    RedirectUri::new("http://127.0.0.1:8080/callback")
}

fn client(base_url: &str) -> Result<PublicClient, Error> {
    Client::builder().client_id("client_test_authkit").base_url(base_url).build()
}

/// Another process on the same bus.
fn start(words: &[&str]) -> Outcome<Child> {
    Ok(Command::new(std::env::current_exe()?).arg("--child").args(words).stdout(Stdio::piped()).spawn()?)
}

/// What another process answers.
async fn ask(words: &[&str]) -> Outcome<String> {
    let child = start(words)?;
    let output = tokio::task::spawn_blocking(move || child.wait_with_output()).await??;
    assert!(output.status.success(), "{words:?}");
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

async fn child(words: &[&str]) -> Outcome {
    match words {
        ["read"] => {
            let token = token_store()?.read().await?;
            println!("{}", token.as_ref().map_or("nothing", |token| token.expose_secret()));
        }
        ["write", token] => token_store()?.write(&StoredToken::new(*token)).await?,
        ["remove"] => token_store()?.remove().await?,
        ["count"] => {
            let store = token_store()?;
            for _ in 0..ROUNDS {
                let _lock = store.lock().await?;
                let count: usize = store.read().await?.ok_or("no count")?.expose_secret().parse()?;
                store.write(&StoredToken::new((count + 1).to_string())).await?;
            }
        }
        ["write-on"] => {
            for number in 1.. {
                token_store()?.write(&StoredToken::new(long_token(number))).await?;
            }
        }
        ["begin", base_url] => {
            let store = KeyringPkceStore::new(SERVICE);
            let login = client(base_url)?.authorize(redirect()?).authkit().begin()?;
            let (url, handle) = login.store(&store).await.map_err(Error::from)?;
            println!("{} {}", url.as_str(), handle.expose_secret());
        }
        ["finish", base_url, handle, callback] => {
            let (client, store, callback) =
                (client(base_url)?, KeyringPkceStore::new(SERVICE), Callback::from_url(callback)?);
            match client.resume_login(&store, &LoginHandle::new(*handle), &redirect()?, &callback).await {
                Ok(login) => {
                    let exchange = login.exchange(callback).map_err(Error::from)?;
                    println!("{}", exchange.send().await.map_err(Error::from)?.user.email);
                }
                Err(error) if matches!(error.kind(), WorkosErrorKind::Parked(ParkedError::NotFound)) => {
                    println!("not found");
                }
                Err(error) => return Err(error.into()),
            }
        }
        ["whoami", base_url] => {
            let session = TokenSession::new(client(base_url)?, token_store()?);
            println!("{}", session.authenticate().await.active()?.user().email);
        }
        _ => return Err(format!("no such task: {words:?}").into()),
    }
    Ok(())
}

async fn token_for_other_processes() -> Outcome {
    let store = token_store()?;
    assert!(store.read().await?.is_none());
    store.write(&StoredToken::new("first token")).await?;
    assert_eq!(ask(&["read"]).await?, "first token");

    // GNOME Keyring has it, under the attributes that are documented.
    let found = secrets("ada")?.ok_or("GNOME Keyring has no such item")?;
    for line in ["secret = first token", "attribute.service = workos-auth-tests", "attribute.username = ada"] {
        assert!(found.contains(line), "{line:?} in {found}");
    }
    let kept = fs::read(home()?.join(".local/share/keyrings/login.keyring"))?;
    assert!(!kept.windows(11).any(|bytes| bytes == b"first token"), "the file of the keyring is encrypted");

    ask(&["write", "second token"]).await?;
    assert_eq!(store.read().await?.map(|token| token.expose_secret().to_owned()).as_deref(), Some("second token"));
    let found = secrets("ada")?.ok_or("GNOME Keyring has no such item")?;
    assert!(found.matches("secret = ").count() == 1 && found.contains("secret = second token"), "{found}");

    ask(&["remove"]).await?;
    assert!(store.read().await?.is_none() && secrets("ada")?.is_none());
    // Nothing is there to remove.
    store.remove().await?;
    Ok(())
}

async fn login_for_other_processes() -> Outcome {
    let authkit = AuthKit::start().await?;
    let begun = ask(&["begin", authkit.base_url()]).await?;
    let (url, handle) = begun.split_once(' ').ok_or("no handle")?;
    let callback = Browser::new()?.sign_in(url, ADA).await?;
    let forged = "http://127.0.0.1:8080/callback?code=evil&state=forged";
    assert_eq!(ask(&["finish", authkit.base_url(), handle, forged]).await?, "not found");
    assert_eq!(ask(&["finish", authkit.base_url(), handle, &callback]).await?, ADA);
    assert_eq!(ask(&["finish", authkit.base_url(), handle, &callback]).await?, "not found");
    Ok(())
}

async fn writers() -> Outcome {
    token_store()?.write(&StoredToken::new("0")).await?;
    let children = (0..WRITERS).map(|_| start(&["count"])).collect::<Outcome<Vec<_>>>()?;
    for mut child in children {
        assert!(tokio::task::spawn_blocking(move || child.wait()).await??.success());
    }
    assert_eq!(ask(&["read"]).await?, (WRITERS * ROUNDS).to_string());
    Ok(())
}

async fn one_exchange() -> Outcome {
    let authkit = AuthKit::start().await?;
    sign_in(&authkit).await?;
    let tasks = [(); 4].map(|()| ["whoami".to_owned(), authkit.base_url().to_owned()]);
    let children = tasks.iter().map(|[task, url]| start(&[task, url])).collect::<Outcome<Vec<_>>>()?;
    for child in children {
        let output = tokio::task::spawn_blocking(move || child.wait_with_output()).await??;
        assert_eq!(String::from_utf8(output.stdout)?.trim(), ADA);
    }
    assert_eq!(authkit.refreshes(), 1);
    // Too late for a replay: the keyring holds the last token.
    authkit.advance(Duration::from_secs(31));
    assert_eq!(ask(&["whoami", authkit.base_url()]).await?, ADA);
    Ok(())
}

/// The refresh token is in the keyring; a process of its own has the session.
async fn sign_in(authkit: &AuthKit) -> Outcome<TokenSession<KeyringTokenStore>> {
    let client = client(authkit.base_url())?;
    let login = client.authorize(redirect()?).authkit().begin()?;
    let callback = Browser::new()?.sign_in(login.url().as_str(), ADA).await?;
    let exchange = login.exchange(Callback::from_url(&callback)?).map_err(Error::from)?;
    let session = TokenSession::new(client, token_store()?);
    session.sign_in(exchange.send().await.map_err(Error::from)?).await.map_err(Error::from)?;
    Ok(session)
}

/// A token whose every part says which one it is.
fn long_token(number: u64) -> String {
    format!("{number:020}").repeat(50)
}

async fn killed_writers() -> Outcome {
    let store = token_store()?;
    let read = async || {
        store.read().await?.map(|token| token.expose_secret().to_owned()).ok_or_else(|| io::Error::other("no token"))
    };
    let mut last = 0;
    for round in 0..KILLS {
        store.write(&StoredToken::new(long_token(0))).await?;
        let mut child = start(&["write-on"])?;
        while read().await? == long_token(0) {
            sleep(Duration::from_millis(1)).await;
        }
        // Between its request and the keyring's answer, as often as not.
        sleep(Duration::from_micros(u64::from(round) * 311 % 5_000)).await;
        child.kill()?;
        child.wait()?;
        let token = read().await?;
        let number: u64 = token[..20].parse()?;
        assert_eq!(token, long_token(number), "round {round}");
        last = last.max(number);
    }
    println!("{KILLS} processes killed while they wrote, after up to {last} tokens");
    let found = secrets("ada")?.ok_or("GNOME Keyring has no such item")?;
    assert_eq!(found.matches("attribute.username = ada").count(), 1, "{found}");
    Ok(())
}

/// The keyring's own error: its kind, and what it says.
fn told(error: &io::Error) -> (ErrorKind, String) {
    (error.kind(), error.to_string())
}

async fn locked() -> Outcome {
    const TEXT: &str = "the keyring is locked, or its user refused: unlock it, and try again";
    let authkit = AuthKit::start().await?;
    drop(sign_in(&authkit).await?);
    let locked = Command::new("dbus-send")
        .args(["--session", "--print-reply", "--dest=org.freedesktop.secrets", "/org/freedesktop/secrets"])
        .args(["org.freedesktop.Secret.Service.Lock", "array:objpath:/org/freedesktop/secrets/collection/login"])
        .output()?;
    assert!(locked.status.success(), "{}", String::from_utf8_lossy(&locked.stderr));

    let store = token_store()?;
    let expected = (ErrorKind::PermissionDenied, TEXT.to_owned());
    let read = timeout(SOON, store.read()).await?;
    assert_eq!(read.map(drop).as_ref().map_err(told), Err(expected.clone()));
    let written = timeout(SOON, store.write(&StoredToken::new("another"))).await?;
    assert_eq!(written.as_ref().map_err(told), Err(expected.clone()));
    let removed = timeout(SOON, store.remove()).await?;
    assert_eq!(removed.as_ref().map_err(told), Err(expected.clone()));
    let now = jiff::Timestamp::now();
    let login = StoredLogin::new("hash".to_owned(), now, now, "sealed".to_owned());
    let put = timeout(SOON, KeyringPkceStore::new(SERVICE).put("key", login)).await?;
    assert_eq!(put.as_ref().map_err(told), Err(expected));

    // Nobody is signed out by it, and trying again without the user doesn't help.
    let session = TokenSession::new(client(authkit.base_url())?, store);
    let SessionState::TemporarilyUnknown(error) = session.authenticate().await else {
        return Err("a locked keyring says whether somebody is signed in".into());
    };
    assert!(matches!(error.kind(), WorkosErrorKind::Store) && !error.is_transient());
    assert_eq!(error.source().map(ToString::to_string).as_deref(), Some(TEXT));
    Ok(())
}

async fn hanging(keyring: &Daemon) -> Outcome {
    let authkit = AuthKit::start().await?;
    drop(sign_in(&authkit).await?);
    keyring.signal("-STOP")?;
    let session = TokenSession::new(client(authkit.base_url())?, token_store()?).answer_within(Duration::from_secs(1));
    let began = Instant::now();
    let (state, beats) = tokio::join!(session.authenticate(), async {
        let mut beats = 0;
        while began.elapsed() < Duration::from_millis(900) {
            sleep(Duration::from_millis(10)).await;
            beats += 1;
        }
        beats
    });
    assert!(matches!(state, SessionState::TemporarilyUnknown(error) if error.is_transient()));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert!(beats > 20, "the only thread was held up: {beats} beats in 900 ms");
    keyring.signal("-CONT")?;
    let session = session.answer_within(SOON);
    assert_eq!(session.authenticate().await.active()?.user().email, ADA);
    Ok(())
}

async fn missing() -> Outcome {
    const TEXT: &str = "there is no keyring here: on Linux, no Secret Service is on the session bus";
    let store = token_store()?;
    let expected = (ErrorKind::Unsupported, TEXT.to_owned());
    let began = Instant::now();
    let read = timeout(SOON, store.read()).await?;
    assert_eq!(read.map(drop).as_ref().map_err(told), Err(expected.clone()));
    let written = timeout(SOON, store.write(&StoredToken::new("token"))).await?;
    assert_eq!(written.as_ref().map_err(told), Err(expected.clone()));
    let taken = timeout(SOON, KeyringPkceStore::new(SERVICE).take("key", "hash")).await?;
    assert_eq!(taken.map(drop).as_ref().map_err(told), Err(expected));
    println!("no keyring, three times in {:.1?}", began.elapsed());

    let client = Client::builder().client_id("client_123").base_url("http://127.0.0.1:9").build()?;
    let error = TokenSession::new(client, store).authenticate().await.active().err().ok_or("signed in")?;
    assert!(matches!(error.kind(), WorkosErrorKind::Store) && !error.is_transient());
    Ok(())
}
