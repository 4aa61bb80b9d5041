//! The command line in a pseudo-terminal and without one, and eight of it at once.
#![cfg(unix)]

mod support;

use std::fs;
use std::os::unix::net::UnixListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};
use serde_json::{Value, json};
use support::keyring::Keyring;
use support::{Device, Outcome, Terminal, run, text};
use workos_auth::session::{KeyringTokenStore, TokenStore};
use workos_auth::testing::{Browser, Endpoint, Fault, TestUser};

const AUTHENTICATE: Endpoint = Endpoint::Authenticate;
const AN_HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn a_login_in_the_browser() -> Outcome {
    let device = Device::new().await?;
    let nobody = device.run(&["whoami"]).await?;
    assert_eq!(
        (nobody.status.code(), text(&nobody.stderr).trim()),
        (Some(3), "Nobody is signed in: cli_session login")
    );

    let mut terminal = Terminal::start(device.command(&["login"]))?;
    let url = terminal.line_after("Open ").await?;
    terminal.line_after_progress("Waiting for the browser").await?;
    let browser = Browser::new()?;
    let callback = browser.sign_in(url.trim(), "ada@example.com").await?;
    assert_eq!(browser.visit(&callback).await?.0, 200);
    let who = terminal.line_after("Signed in as ").await?;
    assert!(who.starts_with("ada@example.com (user_"), "{who}");
    let (code, shown) = terminal.end().await?;
    assert_eq!(code, Some(0), "{shown}");
    let token = fs::read_to_string(device.file())?.split('"').nth(3).ok_or("no token")?.to_owned();
    assert!(token.len() > 20 && !shown.contains(&token));
    assert!(
        ["| Waiting", "/ Waiting", "- Waiting", "\\ Waiting"].iter().filter(|frame| shown.contains(**frame)).count()
            > 1
    );

    let known = device.run(&["whoami"]).await?;
    assert_eq!((known.status.code(), text(&known.stdout).trim()), (Some(0), who.trim()));
    assert!(known.stderr.is_empty(), "no progress without a terminal: {}", text(&known.stderr));

    device.authkit.inject_for(AUTHENTICATE, Fault::Status(401, None), AN_HOUR);
    let unknown = device.run(&["whoami"]).await?;
    assert_eq!(unknown.status.code(), Some(4), "{}", text(&unknown.stderr));
    assert!(text(&unknown.stderr).starts_with("Please try again"));
    device.authkit.heal();

    let logged_out = device.run(&["logout"]).await?;
    assert!(text(&logged_out.stdout).contains("/user_management/sessions/logout?session_id=session_"));
    assert!(!device.file().exists());
    assert_eq!(device.run(&["whoami"]).await?.status.code(), Some(3));
    assert_eq!(text(&device.run(&["logout"]).await?.stdout).trim(), "Signed out.");
    Ok(())
}

#[tokio::test]
async fn a_token_that_others_can_read_is_told_of() -> Outcome {
    let device = Device::new().await?;
    device.sign_in().await?;

    let requests = device.authkit.requests_to(AUTHENTICATE);
    assert!(Command::new("chmod").arg("644").arg(device.file()).status()?.success());
    let refused = device.run(&["whoami"]).await?;
    let said = text(&refused.stderr);
    // Trying again doesn't help: somebody must change the mode.
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert_eq!(device.authkit.requests_to(AUTHENTICATE), requests);
    // The advice, as it stands, in a shell.
    let advice = said.split('`').nth(1).ok_or_else(|| said.clone())?;
    assert!(Command::new("sh").args(["-c", advice]).status()?.success(), "{advice}");
    assert_eq!(device.run(&["whoami"]).await?.status.code(), Some(0));
    Ok(())
}

#[tokio::test]
async fn a_login_on_another_device() -> Outcome {
    let device = Device::new().await?;
    let mut terminal = Terminal::start(device.command(&["login", "--device"]))?;
    let line = terminal.line_after("Open ").await?;
    let (_, code) = line.split_once(" and type ").ok_or_else(|| line.clone())?;
    let complete = terminal.line_after("or   ").await?;
    assert!(complete.contains(code), "{complete} and {code}");
    terminal.line_after_progress("Waiting for the other device").await?;
    Browser::new()?.approve_device(complete.trim(), "ada@example.com").await?;
    terminal.line_after("Signed in as ada@example.com").await?;
    let (status, shown) = terminal.end().await?;
    assert_eq!(status, Some(0));
    assert_eq!(device.run(&["whoami"]).await?.status.code(), Some(0));
    // The QR code is that of the complete address, dark on a light ground.
    for row in qr_rows(&complete)? {
        assert!(shown.contains(&format!("\u{1b}[30m\u{1b}[107m{row}\u{1b}[0m")), "{row} in {shown}");
    }

    // A refused user is told so, and stays signed in.
    let mut terminal = Terminal::start(device.command(&["login", "--device"]))?;
    let complete = terminal.line_after("or   ").await?;
    Browser::new()?.deny_device(complete.trim()).await?;
    let (status, shown) = terminal.end().await?;
    assert!(status == Some(1) && shown.contains("access_denied"), "{shown}");
    assert_eq!(device.run(&["whoami"]).await?.status.code(), Some(0));
    Ok(())
}

fn qr_rows(address: &str) -> Outcome<Vec<String>> {
    let code = QrCode::with_error_correction_level(address, EcLevel::L)?;
    let rows = code.render::<Dense1x2>().dark_color(Dense1x2::Dark).light_color(Dense1x2::Light).build();
    Ok(rows.lines().map(str::to_owned).collect())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_commands_at_once() -> Outcome {
    let device = Device::new().await?;
    device.sign_in().await?;

    let before = (device.authkit.requests_to(AUTHENTICATE), device.authkit.refreshes());
    let children = (0..8)
        .map(|_| {
            let mut command = device.command(&["whoami"]);
            Ok(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?)
        })
        .collect::<Outcome<Vec<Child>>>()?;
    for child in children {
        let output = tokio::task::spawn_blocking(move || child.wait_with_output()).await??;
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert!(text(&output.stdout).starts_with("ada@example.com (user_"));
    }
    let requests = device.authkit.requests_to(AUTHENTICATE) - before.0;
    let rotations = device.authkit.refreshes() - before.1;
    println!("8 commands at once: {requests} requests, {rotations} rotations");
    assert_eq!((requests, rotations), (8, 1), "one exchange, and seven replays within the window");

    // Too late for any replay: what the file holds is the last token, or the next command would be refused.
    device.authkit.advance(Duration::from_secs(31));
    let known = device.run(&["whoami"]).await?;
    assert!(known.status.success(), "{}", text(&known.stderr));
    assert_eq!(device.authkit.refreshes() - before.1, rotations + 1);
    Ok(())
}

#[tokio::test]
async fn each_exit_code_is_what_the_help_says() -> Outcome {
    let device = Device::new().await?;
    let help = device.run(&["--help"]).await?;
    assert_eq!(help.status.code(), Some(0));
    let help = text(&help.stdout);
    for line in [
        "\n  0    done; for `whoami`: somebody is signed in\n",
        "\n  1    it failed, and trying again doesn't help",
        "\n  2    the command line can't be understood\n",
        "\n  3    nobody is signed in: run `cli_session login`\n",
        "\n  4    nobody can tell at the moment",
        "\n  130  interrupted by Ctrl-C\n",
        "keyring that is locked or fails is an error",
    ] {
        assert!(help.contains(line), "{line:?} in {help}");
    }

    for arguments in [&["whoami"][..], &["token"], &["switch", "org_1"]] {
        assert_eq!(device.run(arguments).await?.status.code(), Some(3), "{arguments:?}");
    }
    for arguments in [&[][..], &["signin"], &["login", "--device", "--no-browser"], &["switch", "../users"]] {
        let refused = device.run(arguments).await?;
        assert_eq!((refused.status.code(), refused.stdout.len()), (Some(2), 0), "{arguments:?}");
        assert!(text(&refused.stderr).contains("--help"), "{}", text(&refused.stderr));
    }

    device.sign_in().await?;
    assert_eq!(device.run(&["whoami"]).await?.status.code(), Some(0));
    device.authkit.inject_for(AUTHENTICATE, Fault::Status(429, None), AN_HOUR);
    for arguments in [&["whoami"][..], &["token"], &["switch", "org_1"]] {
        let unknown = device.run(arguments).await?;
        assert_eq!((unknown.status.code(), unknown.stdout.len()), (Some(4), 0), "{arguments:?}");
    }
    device.authkit.heal();
    // Not a member: the session is as before.
    assert_eq!(device.run(&["switch", "org_of_others"]).await?.status.code(), Some(1));
    assert_eq!(device.run(&["whoami"]).await?.status.code(), Some(0));
    Ok(())
}

#[tokio::test]
async fn without_a_client_id_it_says_what_to_set() -> Outcome {
    let device = Device::new().await?;
    let mut command = device.command(&["login"]);
    command.env_remove("WORKOS_CLIENT_ID");
    let refused = run(command).await?;
    assert_eq!(
        (refused.status.code(), text(&refused.stderr)),
        (
            Some(1),
            "It failed: the environment variable WORKOS_CLIENT_ID is not set: it must hold the application's client ID, \
             `client_…`\nThe WorkOS dashboard shows it under \"API Keys\": export WORKOS_CLIENT_ID=client_…\n"
                .to_owned()
        )
    );
    Ok(())
}

#[tokio::test]
async fn json_is_one_object_of_a_stable_shape() -> Outcome {
    let device = Device::of(TestUser::new("ada@example.com").name("Ada", "Lovelace").organization("org_1")).await?;
    let object = |output: &[u8]| -> Outcome<Value> {
        assert_eq!(text(output).matches('\n').count(), 1);
        Ok(serde_json::from_slice(output)?)
    };
    let nobody = device.run(&["whoami", "--json"]).await?;
    assert_eq!(
        text(&nobody.stdout),
        "{\"status\":\"not_signed_in\",\"message\":\"Nobody is signed in: cli_session login\"}\n"
    );
    assert!(nobody.stderr.is_empty());

    // The address is for people; the answer is for the script.
    let mut login = device.command(&["login", "--json"]);
    let mut child = login.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let mut said = child.stderr.take().ok_or("no standard error")?;
    let (url, said) = tokio::task::spawn_blocking(move || {
        use std::io::{BufRead, BufReader};
        let mut reader = BufReader::new(&mut said);
        let mut line = String::new();
        reader.read_line(&mut line).map(|_| (line, said))
    })
    .await??;
    let browser = Browser::new()?;
    let url = url.trim().strip_prefix("Open ").ok_or("no address")?;
    browser.visit(&browser.sign_in(url, "ada@example.com").await?).await?;
    let login = tokio::task::spawn_blocking(move || child.wait_with_output()).await??;
    drop(said);

    let known = device.run(&["--json", "whoami"]).await?;
    let known = object(&known.stdout)?;
    let session_id = known["session_id"].as_str().ok_or("no session")?.to_owned();
    let user_id = known["user"]["id"].as_str().ok_or("no user")?.to_owned();
    assert!(session_id.starts_with("session_") && user_id.starts_with("user_"));
    let expected = json!({
        "status": "signed_in",
        "user": {"id": user_id, "email": "ada@example.com", "name": "Ada Lovelace"},
        "organization_id": "org_1",
        "session_id": session_id,
        "store": "file",
    });
    assert_eq!((&known, &object(&login.stdout)?), (&expected, &expected));

    let token = object(&device.run(&["token", "--json"]).await?.stdout)?;
    let mut with_token = expected.clone();
    with_token["access_token"] = token["access_token"].clone();
    assert_eq!(token, with_token);
    assert!(token["access_token"].as_str().is_some_and(|token| token.starts_with("eyJ")));

    device.authkit.inject_for(AUTHENTICATE, Fault::Status(503, None), AN_HOUR);
    let unknown = object(&device.run(&["whoami", "--json"]).await?.stdout)?;
    assert_eq!((&unknown["status"], unknown.as_object().map(serde_json::Map::len)), (&json!("try_again"), Some(2)));
    device.authkit.heal();

    let out = object(&device.run(&["logout", "--json"]).await?.stdout)?;
    assert!(out["logout_url"].as_str().is_some_and(|url| url.contains(&session_id)), "{out}");
    assert_eq!((&out["status"], out.as_object().map(serde_json::Map::len)), (&json!("signed_out"), Some(2)));
    let out = device.run(&["logout", "--json"]).await?;
    assert_eq!(text(&out.stdout), "{\"status\":\"signed_out\",\"logout_url\":null}\n");

    let mut command = device.command(&["whoami", "--json"]);
    command.env_remove("WORKOS_CLIENT_ID");
    assert_eq!(
        text(&run(command).await?.stdout),
        "{\"status\":\"failed\",\"message\":\"the environment variable WORKOS_CLIENT_ID is not set: it must hold the \
         application's client ID, `client_…`\"}\n"
    );
    Ok(())
}

#[tokio::test]
async fn a_token_is_for_scripts_only() -> Outcome {
    let device = Device::new().await?;
    let login = device.sign_in().await?;
    let token = device.run(&["token"]).await?;
    assert_eq!(token.status.code(), Some(0));
    let token = text(&token.stdout).trim().to_owned();
    assert_eq!(token.split('.').count(), 3, "a JWT");

    let (code, shown) = Terminal::start(device.command(&["token"]))?.end().await?;
    assert!(code == Some(1) && shown.contains("TOKEN=$(cli_session token)"), "{shown}");
    let whoami = device.run(&["whoami", "--json"]).await?;
    for shown in [login, shown, text(&whoami.stdout)] {
        assert!(!shown.contains("eyJ"), "{shown}");
    }
    Ok(())
}

#[tokio::test]
async fn another_organization_stays_chosen() -> Outcome {
    let user = TestUser::new("ada@example.com").organization("org_1").organization("org_2");
    let device = Device::of(user).await?;
    let mut terminal = Terminal::start(device.command(&["login"]))?;
    let url = terminal.line_after("Open ").await?;
    let browser = Browser::new()?;
    browser.visit(&browser.sign_in(url.trim(), "ada@example.com").await?).await?;
    terminal.line_after("Signed in as ").await?;
    terminal.end().await?;
    for organization in ["org_2", "org_1"] {
        let switched = device.run(&["switch", organization]).await?;
        assert_eq!(switched.status.code(), Some(0), "{}", text(&switched.stderr));
        let known = text(&device.run(&["whoami"]).await?.stdout);
        assert!(known.ends_with(&format!(")\nin the organization {organization}\n")), "{known}");
    }
    Ok(())
}

#[tokio::test]
async fn escape_codes_go_to_terminals_only() -> Outcome {
    let device = Device::new().await?;
    // Redirected.
    let mut login = device.command(&["login", "--device"]);
    let child = login.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    device.authkit.inject_for(AUTHENTICATE, Fault::Status(400, None), AN_HOUR);
    let ended = tokio::task::spawn_blocking(move || child.wait_with_output()).await??;
    device.authkit.heal();
    let said = text(&ended.stderr);
    assert!(said.contains("Open ") && ended.stdout.is_empty(), "{said}");
    assert!(!said.contains('\u{1b}') && !said.contains('\r') && !has_qr(&said), "{said}");
    let help = device.run(&["--help"]).await?;
    assert!(!text(&help.stdout).contains('\u{1b}'));

    let shown = |variable: &'static str, value: &'static str| {
        let mut command = device.command(&["login", "--device"]);
        command.env(variable, value);
        async move {
            let mut terminal = Terminal::start(command)?;
            terminal.line_after("Check that the page shows the code ").await?;
            tokio::time::sleep(Duration::from_millis(500)).await;
            terminal.interrupt()?;
            terminal.end().await.map(|(_, shown)| shown)
        }
    };
    let coloured = shown("LANG", "C.UTF-8").await?;
    assert!(coloured.contains("\u{1b}[1m") && has_qr(&coloured), "{coloured}");
    let plain = shown("NO_COLOR", "1").await?;
    assert!(!plain.contains("\u{1b}[1m") && !plain.contains("\u{1b}[30m") && has_qr(&plain), "{plain}");
    let dumb = shown("TERM", "dumb").await?;
    assert!(!dumb.contains('\u{1b}') && !has_qr(&dumb), "{dumb}");
    Ok(())
}

fn has_qr(text: &str) -> bool {
    text.contains(['█', '▀', '▄'])
}

#[tokio::test]
async fn ctrl_c_leaves_nothing_half_done() -> Outcome {
    let device = Device::new().await?;
    for arguments in [&["login"][..], &["login", "--device"]] {
        let mut terminal = Terminal::start(device.command(arguments))?;
        terminal.line_after_progress("Waiting for the ").await?;
        terminal.interrupt()?;
        let (code, shown) = terminal.end().await?;
        assert_eq!(code, Some(130), "{shown}");
        // The moving line is cleared away, and the cursor is visible.
        assert!(shown.ends_with("\u{1b}[2KInterrupted\r\n"), "{shown:?}");
        assert_eq!(shown.matches("\u{1b}[?25l").count(), shown.matches("\u{1b}[?25h").count());
        assert!(!device.file().exists());
        assert_eq!(device.run(&["whoami"]).await?.status.code(), Some(3));
    }

    // A token that is being exchanged is kept first.
    device.sign_in().await?;
    let before = fs::read_to_string(device.file())?;
    device.authkit.inject(AUTHENTICATE, Fault::Slow(Duration::from_secs(2)), 1);
    let terminal = Terminal::start(device.command(&["whoami"]))?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    terminal.interrupt()?;
    let (code, shown) = terminal.end().await?;
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.starts_with("Finishing.") && shown.contains("ada@example.com (user_"), "{shown}");
    assert_ne!(fs::read_to_string(device.file())?, before);
    device.authkit.advance(Duration::from_secs(31));
    assert_eq!(device.run(&["whoami"]).await?.status.code(), Some(0));
    Ok(())
}

#[tokio::test]
async fn a_file_takes_the_place_of_a_missing_keyring_only() -> Outcome {
    let device = Device::new().await?;
    // There is none: no session bus.
    let shown = device.sign_in().await?;
    let file = device.file();
    let told = format!("in the file {}, which only you can read (there is no keyring here).", file.display());
    assert!(shown.contains(&told), "{shown}");
    assert_eq!(device.run(&["whoami"]).await?.status.code(), Some(0));
    let forced = device.run(&["whoami", "--store", "keyring"]).await?;
    let said = text(&forced.stderr);
    assert_eq!(forced.status.code(), Some(1), "{said}");
    assert!(said.contains("there is no keyring here") && said.contains("`--store file`"), "{said}");
    assert_eq!(device.run(&["logout"]).await?.status.code(), Some(0));

    // There may be one, which fails: its bus closes each connection.
    let bus = device.directory.join("bus");
    let listener = UnixListener::bind(&bus)?;
    std::thread::spawn(move || listener.incoming().for_each(drop));
    let with_bus = |arguments: &[&str]| {
        let mut command = device.command(arguments);
        command.env("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={}", bus.display()));
        command
    };
    for arguments in [&["login"][..], &["whoami"], &["token"], &["logout"]] {
        let failed = run(with_bus(arguments)).await?;
        let said = text(&failed.stderr);
        assert_eq!((failed.status.code(), failed.stdout.len()), (Some(1), 0), "{arguments:?}: {said}");
        assert!(said.contains("the keyring failed") && said.contains("`--store file`"), "{said}");
    }
    assert!(!file.exists(), "a failing keyring sends no token to a file");
    // Somebody has decided.
    assert_eq!(run(with_bus(&["whoami", "--store", "file"])).await?.status.code(), Some(3));
    Ok(())
}

/// What `whoami` says when its new token can't be written until it has said something.
async fn while_nothing_can_be_written(
    device: &Device,
    until: impl AsyncFnOnce(&mut Terminal) -> Outcome,
) -> Outcome<(Option<i32>, String)> {
    device.authkit.inject(AUTHENTICATE, Fault::Slow(Duration::from_secs(2)), 1);
    let mut terminal = Terminal::start(device.command(&["whoami"]))?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    // A file stands where the directory was.
    let state = device.directory.join("state");
    fs::rename(&state, device.directory.join("aside"))?;
    fs::write(&state, "")?;
    until(&mut terminal).await?;
    fs::remove_file(&state)?;
    fs::rename(device.directory.join("aside"), &state)?;
    let ended = terminal.end().await?;
    // Too late for a replay.
    device.authkit.advance(Duration::from_secs(31));
    Ok(ended)
}

#[tokio::test]
async fn a_token_that_can_be_written_again_is_kept() -> Outcome {
    let device = Device::new().await?;
    device.sign_in().await?;
    let (code, shown) = while_nothing_can_be_written(&device, async |terminal| {
        terminal.line_after("Waiting until a new token is kept.").await.map(drop)
    })
    .await?;
    assert!(code == Some(1) && !shown.contains("ada@example.com") && !shown.contains("is lost"), "{shown}");
    assert_eq!(device.run(&["whoami"]).await?.status.code(), Some(0));
    Ok(())
}

#[tokio::test]
async fn a_token_that_is_lost_is_told_of() -> Outcome {
    let device = Device::new().await?;
    device.sign_in().await?;
    let (code, shown) = while_nothing_can_be_written(&device, async |terminal| {
        terminal.line_after("The new token is lost, so you may have to sign in again").await.map(drop)
    })
    .await?;
    assert!(code == Some(1) && !shown.contains("ada@example.com"), "{shown}");
    assert!(
        shown.contains("It failed: the store failed\r\n  because ") && shown.contains("`cli_session login`"),
        "{shown}"
    );
    assert_eq!(device.run(&["whoami"]).await?.status.code(), Some(3));
    Ok(())
}

/// The same command, on a disk that is full for it.
fn on_a_full_disk(command: &Command) -> Command {
    let mut limited = Command::new("sh");
    limited.args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$0\" \"$@\""]);
    limited.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    limited
}

#[tokio::test]
async fn a_full_disk_costs_no_session() -> Outcome {
    let device = Device::new().await?;
    device.sign_in().await?;
    let requests = device.authkit.requests_to(AUTHENTICATE);
    let refused = run(on_a_full_disk(&device.command(&["whoami"]))).await?;
    let said = text(&refused.stderr);
    assert!(refused.status.code() == Some(4) && said.contains("File too large"), "{said}");
    assert_eq!(device.authkit.requests_to(AUTHENTICATE), requests, "nothing was used up");
    let names: Vec<_> = fs::read_dir(device.directory.join("state"))?.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    device.authkit.advance(Duration::from_secs(31));
    assert_eq!(device.run(&["whoami"]).await?.status.code(), Some(0));
    // A sign-out needs no room.
    assert_eq!(run(on_a_full_disk(&device.command(&["logout"]))).await?.status.code(), Some(0));
    assert!(!device.file().exists());
    Ok(())
}

#[tokio::test]
async fn a_keyring_that_is_out_of_reach_signs_nobody_out() -> Outcome {
    let device = Device::new().await?;
    let trace = device.directory.join("cli_session").join(format!("{}.in-keyring", device.authkit.client_id()));
    fs::create_dir_all(trace.parent().ok_or("no directory")?)?;
    fs::write(&trace, "")?;
    let refused = async |arguments: &[&str]| -> Outcome {
        let refused = device.run(arguments).await?;
        let said = text(&refused.stderr);
        assert_eq!((refused.status.code(), refused.stdout.len()), (Some(1), 0), "{arguments:?}: {said}");
        assert!(said.contains("signed in with the keyring, which can't be reached from here"), "{said}");
        Ok(())
    };
    for arguments in [&["whoami"][..], &["token"], &["login"], &["logout"]] {
        refused(arguments).await?;
    }
    // Somebody has decided. A sign-out of the file isn't one of the keyring.
    device.sign_in_with(device.command(&["login", "--store", "file"])).await?;
    assert_eq!(device.run(&["whoami"]).await?.status.code(), Some(0));
    refused(&["logout"]).await?;
    assert_eq!(device.run(&["logout", "--store", "file"]).await?.status.code(), Some(0));
    refused(&["whoami"]).await
}

#[tokio::test]
async fn a_reader_may_stop_reading() -> Outcome {
    let device = Device::new().await?;
    device.sign_in().await?;
    for arguments in [&["completions", "zsh"][..], &["whoami"], &["whoami", "--json"]] {
        let mut command = device.command(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        drop(child.stdout.take());
        let ended = tokio::task::spawn_blocking(move || child.wait_with_output()).await??;
        assert_eq!((ended.status.code(), text(&ended.stderr)), (Some(0), String::new()), "{arguments:?}");
    }
    // Nobody reads what is for people either.
    let mut command = device.command(&["switch", "org_of_others"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    drop(child.stderr.take());
    let ended = tokio::task::spawn_blocking(move || child.wait_with_output()).await??;
    assert_eq!(ended.status.code(), Some(1));
    // An answer that nobody can have got is a failure.
    let mut command = device.command(&["token"]);
    let full = fs::OpenOptions::new().write(true).open("/dev/full")?;
    let child = command.stdout(full).stderr(Stdio::piped()).spawn()?;
    let ended = tokio::task::spawn_blocking(move || child.wait_with_output()).await??;
    let said = text(&ended.stderr);
    assert!(ended.status.code() == Some(1) && said.starts_with("It failed: the answer can't be written"), "{said}");
    Ok(())
}

#[tokio::test]
async fn bash_understands_its_completions() -> Outcome {
    let device = Device::new().await?;
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let mut command = device.command(&["completions", shell]);
        // Needed for nothing here.
        command.env_remove("WORKOS_CLIENT_ID");
        let script = run(command).await?;
        assert_eq!((script.status.code(), script.stderr.len()), (Some(0), 0), "{shell}");
        assert!(text(&script.stdout).contains("whoami"), "{shell}");
        if shell != "bash" {
            continue;
        }
        let file = device.directory.join("completions");
        fs::write(&file, &script.stdout)?;
        let completed = Command::new("bash")
            .args(["--norc", "-c"])
            .arg(
                "source \"$0\" && COMP_WORDS=(cli_session lo) COMP_CWORD=1 && _cli_session cli_session lo cli_session \
                 && echo \"${COMPREPLY[@]}\"",
            )
            .arg(&file)
            .output()?;
        assert_eq!(text(&completed.stdout).trim(), "login logout", "{}", text(&completed.stderr));
    }
    Ok(())
}

#[tokio::test]
async fn a_real_keyring_has_the_token() -> Outcome {
    if std::env::var_os("WORKOS_KEYRING").is_none() {
        println!("SKIPPED: set WORKOS_KEYRING where gnome-keyring, dbus and libsecret-tools are installed");
        return Ok(());
    }
    let device = Device::new().await?;
    let keyring = Keyring::start(&device.directory)?;
    let command = |arguments: &[&str]| keyring.at_hand_of(device.command(arguments));
    let shown = device.sign_in_with(command(&["login"])).await?;
    assert!(shown.contains("is in the keyring."), "{shown}");
    assert!(!device.file().exists());
    let items = keyring.items()?;
    assert!(items.contains(&format!("attribute.username = {}", device.authkit.client_id())), "{items}");
    let known = run(command(&["whoami", "--json"])).await?;
    let known: Value = serde_json::from_slice(&known.stdout)?;
    assert_eq!((&known["status"], &known["store"]), (&json!("signed_in"), &json!("keyring")));
    // The other place is another one.
    assert_eq!(run(command(&["whoami", "--store", "file"])).await?.status.code(), Some(3));
    // Over SSH, say: it is not taken for a sign-out.
    for arguments in [&["whoami"][..], &["logout"]] {
        assert_eq!(device.run(arguments).await?.status.code(), Some(1), "{arguments:?}");
    }
    // One lock for the keyring's entry, whatever the file is.
    let lock = device.directory.join("cli_session").join(format!("{}.keyring-lock", device.authkit.client_id()));
    let held = KeyringTokenStore::new("cli_session", device.authkit.client_id(), lock)?.lock().await?;
    let mut waiting = command(&["logout", "--file", "elsewhere/token"]).stdout(Stdio::null()).spawn()?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(waiting.try_wait()?.is_none(), "it doesn't wait for the lock");
    drop(held);
    assert_eq!(tokio::task::spawn_blocking(move || waiting.wait()).await??.code(), Some(0));
    assert_eq!(keyring.items()?, "");
    assert_eq!(device.run(&["whoami"]).await?.status.code(), Some(3));

    // A sign-out takes what was kept before the machine had a keyring, too.
    device.sign_in().await?;
    device.sign_in_with(command(&["login"])).await?;
    assert!(device.file().exists());
    assert_eq!(run(command(&["logout"])).await?.status.code(), Some(0));
    assert!(!device.file().exists() && keyring.items()?.is_empty());

    device.sign_in_with(command(&["login"])).await?;
    keyring.lock()?;
    for arguments in [&["whoami"][..], &["login"], &["logout"]] {
        let refused = run(command(arguments)).await?;
        let said = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(said.contains("the keyring is locked") && !said.contains("Open "), "{said}");
    }
    assert!(!device.file().exists(), "a locked keyring sends no token to a file");
    Ok(())
}
