//! The two logins: in a browser of this machine, and on another device.

use std::env;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anstyle::{AnsiColor, Color, Style};
use indicatif::{ProgressBar, ProgressStyle};
use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};
use workos_auth::{AuthenticationResponse, LoopbackListener, PublicClient};

use crate::output::{Problem, say, stderr_is_a_terminal};

const BOLD: Style = Style::new().bold();
/// A camera needs dark squares on a light ground, whatever the colours of the terminal are.
const QR: Style =
    Style::new().fg_color(Some(Color::Ansi(AnsiColor::Black))).bg_color(Some(Color::Ansi(AnsiColor::BrightWhite)));

/// RFC 8252: the browser of this machine.
pub(crate) async fn in_the_browser(
    client: &PublicClient,
    open_browser: bool,
) -> Result<AuthenticationResponse, Problem> {
    let listener = LoopbackListener::bind("/callback").await?;
    let login = client.authorize(listener.redirect_uri().clone()).authkit().begin()?;
    say(&format!("Open {}", login.url().as_str()));
    if open_browser && stderr_is_a_terminal() && has_display() {
        // If there is no browser, the user copies the address.
        drop(open::that_detached(login.url().as_str()));
    }
    let exchange = while_waiting("Waiting for the browser", listener.wait(login)).await?;
    Ok(exchange.send().await?)
}

/// RFC 8628: any other device.
pub(crate) async fn on_another_device(client: &PublicClient) -> Result<AuthenticationResponse, Problem> {
    let login = client.device_authorization().send().await?;
    let code = login.user_code();
    say(&format!("Open {} and type {BOLD}{code}{BOLD:#}", login.verification_uri()));
    if let Some(complete) = login.verification_uri_complete() {
        say(&format!("or   {complete}"));
        if stderr_is_a_terminal()
            && let Some(code) = qr_code(complete.as_str())
        {
            say(&code);
        }
        say(&format!("Check that the page shows the code {BOLD}{code}{BOLD:#}."));
    }
    Ok(while_waiting("Waiting for the other device", login.wait()).await?)
}

/// The address in half-height blocks, with the margin that cameras need.
fn qr_code(address: &str) -> Option<String> {
    let code = QrCode::with_error_correction_level(address, EcLevel::L).ok()?;
    let code = code.render::<Dense1x2>().dark_color(Dense1x2::Dark).light_color(Dense1x2::Light).build();
    let lines = code.lines().map(|line| format!("{QR}{line}{QR:#}"));
    Some(lines.collect::<Vec<_>>().join("\n"))
}

static WAITING: AtomicBool = AtomicBool::new(false);

/// Whether nothing is under way but the user's own login, so that Ctrl-C breaks nothing.
pub(crate) fn is_waiting_for_the_user() -> bool {
    WAITING.load(Ordering::SeqCst)
}

/// The line that moves. It is cleared when it is dropped.
struct Waiting(ProgressBar);

impl Waiting {
    fn new(what: &'static str) -> Self {
        WAITING.store(true, Ordering::SeqCst);
        if !stderr_is_a_terminal() {
            return Self(ProgressBar::hidden());
        }
        let line = ProgressBar::new_spinner().with_message(what);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} (Ctrl-C to give up)") {
            line.set_style(style.tick_strings(&["|", "/", "-", "\\", " "]));
        }
        line.enable_steady_tick(Duration::from_millis(120));
        Self(line)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.finish_and_clear();
        WAITING.store(false, Ordering::SeqCst);
    }
}

async fn while_waiting<T>(what: &'static str, work: impl Future<Output = T>) -> T {
    let _waiting = Waiting::new(what);
    work.await
}

fn has_display() -> bool {
    let unix_desktop = env::var_os("DISPLAY").is_some() || env::var_os("WAYLAND_DISPLAY").is_some();
    unix_desktop || cfg!(any(target_os = "macos", target_os = "windows"))
}
