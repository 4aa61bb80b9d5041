//! A process begins a login, parks it and is killed; another completes it; a third finds nothing left.

use std::error::Error as StdError;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};

use workos_auth::testing::{AuthKit, Browser};
use workos_auth::{
    Callback, Client, ConfidentialClient, CookiePassword, DirectoryStore, Error, ErrorKind, ExposeSecret, LoginHandle,
    ParkedError, Parking, RedirectUri,
};

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
    let store = DirectoryStore::open(directory)?;
    for line in std::io::stdin().lines() {
        let line = line?;
        let words: Vec<&str> = line.split(' ').collect();
        let answer = match words.as_slice() {
            ["begin"] => {
                let sealed = client.authorize(redirect()).authkit().begin()?;
                let sealed_url = sealed.url().clone();
                let sealed = parking().park(sealed)?;
                let (stored_url, handle) = client.authorize(redirect()).authkit().begin()?.store(&store).await?;
                format!("{sealed_url} {sealed} {stored_url} {}", handle.expose_secret())
            }
            ["finish-sealed", sealed, callback] => {
                let session = parking().resume_login(&client, &redirect(), sealed)?;
                session.exchange(Callback::from_url(callback)?)?.send().await?.complete()?.user.email
            }
            ["finish-stored", handle, callback] => {
                let callback = Callback::from_url(callback)?;
                match client.resume_login(&store, &LoginHandle::new(*handle), &redirect(), &callback).await {
                    Ok(session) => session.exchange(callback)?.send().await?.complete()?.user.email,
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
    assert_eq!(authkit.requests_to("/user_management/authenticate"), 2);
    Ok(())
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let outcome = match arguments.as_slice() {
        [flag, base_url, directory] if flag == "--child" => runtime.block_on(child(base_url, directory)),
        _ => {
            println!("\nrunning 1 test");
            let outcome = runtime.block_on(parent());
            let verdict = if outcome.is_ok() { "ok. 1 passed; 0 failed" } else { "FAILED. 0 passed; 1 failed" };
            println!("test a_killed_process_is_succeeded ... {}\n", if outcome.is_ok() { "ok" } else { "FAILED" });
            println!("test result: {verdict}; 0 ignored\n");
            outcome
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
