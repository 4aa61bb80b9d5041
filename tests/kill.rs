//! Processes that are killed. One begins a login and parks it, another completes it, a third finds nothing left; and a
//! killed writer leaves a whole token file.

use std::error::Error as StdError;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::time::Duration;

use workos_auth::error::ParkedError;
use workos_auth::parking::{DirectoryPkceStore, LoginHandle, Parking};
use workos_auth::secret::StoredToken;
use workos_auth::session::{FileTokenStore, TokenStore};
use workos_auth::testing::{AuthKit, Browser, Endpoint};
use workos_auth::{Callback, Client, ConfidentialClient, CookiePassword, Error, ErrorKind, ExposeSecret, RedirectUri};

type Outcome<T = ()> = Result<T, Box<dyn StdError>>;

const ADA: &str = "ada@example.com";

fn client(base_url: &str) -> Result<ConfidentialClient, Error> {
    Client::builder().client_id("client_test_authkit").api_key("sk_test_authkit").base_url(base_url).build()
}

fn redirect() -> RedirectUri {
    RedirectUri::new("http://127.0.0.1:8080/callback").unwrap()
}

fn parking() -> Parking {
    Parking::new(CookiePassword::new("0123456789abcdef0123456789abcdef").unwrap())
}

/// What a child is told: one line a question, one line an answer.
async fn child(base_url: &str, directory: &str) -> Outcome {
    let client = client(base_url)?;
    let store = DirectoryPkceStore::open(directory)?;
    for line in std::io::stdin().lines() {
        let line = line?;
        let words: Vec<&str> = line.split(' ').collect();
        let answer = match words.as_slice() {
            ["begin"] => {
                let sealed = client.authorize(redirect()).authkit().begin()?;
                let sealed_url = sealed.url().clone();
                let sealed = parking().park(sealed)?;
                let (stored_url, handle) = client.authorize(redirect()).authkit().begin()?.store(&store).await?;
                let (sealed_url, stored_url) = (sealed_url.as_str(), stored_url.as_str());
                format!("{sealed_url} {sealed} {stored_url} {}", handle.expose_secret())
            }
            ["finish-sealed", sealed, callback] => {
                let session = parking().resume_login(&client, &redirect(), sealed)?;
                session.exchange(Callback::from_url(callback)?)?.send().await?.user.email
            }
            ["finish-stored", handle, callback] => {
                let callback = Callback::from_url(callback)?;
                match client.resume_login(&store, &LoginHandle::new(*handle), &redirect(), &callback).await {
                    Ok(session) => session.exchange(callback)?.send().await?.user.email,
                    Err(error) if matches!(error.kind(), ErrorKind::Parked(ParkedError::NotFound)) => {
                        "not found".to_owned()
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            _ => return Err(format!("not understood: {line}").into()),
        };
        println!("{answer}");
        std::io::stdout().flush()?;
    }
    Ok(())
}

struct Process {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Process {
    fn start(base_url: &str, directory: &Path) -> Outcome<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["--child", base_url])
            .arg(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdin = child.stdin.take().ok_or("no stdin")?;
        let stdout = BufReader::new(child.stdout.take().ok_or("no stdout")?);
        Ok(Self { child, stdin, stdout })
    }

    fn ask(&mut self, question: &str) -> Outcome<String> {
        writeln!(self.stdin, "{question}")?;
        let mut answer = String::new();
        self.stdout.read_line(&mut answer)?;
        Ok(answer.trim_end().to_owned())
    }

    /// SIGKILL, on Unix.
    fn kill(mut self) -> Outcome {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

async fn parent() -> Outcome {
    let authkit = AuthKit::start().await?;
    let browser = Browser::new()?;
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("kill-{}", std::process::id()));

    let mut first = Process::start(authkit.base_url(), &directory)?;
    let begun = first.ask("begin")?;
    let [sealed_url, sealed, stored_url, handle] = begun.split(' ').collect::<Vec<_>>()[..] else {
        return Err(format!("not understood: {begun}").into());
    };
    first.kill()?;

    let mut second = Process::start(authkit.base_url(), &directory)?;
    let callback = browser.sign_in(sealed_url, ADA).await?;
    assert_eq!(second.ask(&format!("finish-sealed {sealed} {callback}"))?, ADA);
    let callback = browser.sign_in(stored_url, ADA).await?;
    assert_eq!(second.ask(&format!("finish-stored {handle} {callback}"))?, ADA);
    second.kill()?;

    let mut third = Process::start(authkit.base_url(), &directory)?;
    assert_eq!(third.ask(&format!("finish-stored {handle} {callback}"))?, "not found");
    third.kill()?;
    assert_eq!(authkit.requests_to(Endpoint::Authenticate), 2);
    Ok(())
}

/// Long enough to be torn, and wrong if it is.
fn token(number: u64) -> String {
    format!("{number:020}").repeat(400)
}

/// Writes one token after the other until it is killed.
async fn writer(file: &Path) -> Outcome {
    let store = FileTokenStore::open(file)?;
    for number in 1_u64.. {
        let _lock = store.lock().await?;
        store.write(&StoredToken::new(token(number))).await?;
    }
    Ok(())
}

async fn torn_files() -> Outcome {
    const KILLS: u64 = 100;
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("torn-{}", std::process::id()));
    let file = directory.join("refresh-token");
    let store = FileTokenStore::open(&file)?;
    let mut left_over = 0;
    for round in 0..KILLS {
        store.write(&StoredToken::new(token(0))).await?;
        let mut child = Command::new(std::env::current_exe()?).arg("--write").arg(&file).spawn()?;
        while fs::read_to_string(&file)? == token(0) {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_micros(round * 37 % 2_000));
        child.kill()?;
        child.wait()?;
        let new = |name: &std::ffi::OsStr| name.as_encoded_bytes().ends_with(b".new");
        let left = fs::read_dir(&directory)?.filter_map(Result::ok).any(|entry| new(&entry.file_name()));
        left_over += u32::from(left);
        // The lock has died with its holder, and what is there is one of the tokens.
        drop(tokio::time::timeout(Duration::from_secs(5), store.lock()).await??);
        let held = store.read().await?.ok_or("the file is gone")?;
        let number: u64 = held.expose_secret()[..20].parse()?;
        assert_eq!(held.expose_secret(), token(number), "round {round}");
    }
    println!("{KILLS} processes killed while they wrote: {left_over} left a new file behind");
    assert!(left_over > 0, "none was killed in the middle: this tests nothing");
    Ok(fs::remove_dir_all(&directory)?)
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let outcome = match arguments.as_slice() {
        [flag, base_url, directory] if flag == "--child" => runtime.block_on(child(base_url, directory)),
        [flag, file] if flag == "--write" => runtime.block_on(writer(Path::new(file))),
        _ => {
            println!("\nrunning 2 tests");
            let report = |name, outcome: Outcome| {
                println!("test {name} ... {}", if outcome.is_ok() { "ok" } else { "FAILED" });
                outcome
            };
            let succeeded = report("a_killed_process_is_succeeded", runtime.block_on(parent()));
            succeeded.and(report("a_killed_process_leaves_a_whole_token_file", runtime.block_on(torn_files())))
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:?}");
            ExitCode::FAILURE
        }
    }
}
