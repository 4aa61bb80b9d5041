//! The session of a command line: its refresh token is kept, and rotated by one process at a time.

use std::error::Error as _;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use workos_auth::secret::StoredToken;
use workos_auth::session::{FileTokenStore, MemoryTokenStore, SignedOutReason, SwitchError, TokenSession, TokenStore};
use workos_auth::testing::{AuthKit, Endpoint, Fault, ManualClock, Skew, TestUser};
use workos_auth::{
    AuthenticationResponse, Error, ErrorCode, ErrorKind, ExposeSecret, OrganizationId, RefreshToken, SessionState,
};

use crate::support::Outcome;
use crate::support::application::{AUTHENTICATE, access_token};
use crate::support::clients::clock;
use crate::support::login::in_browser;
use crate::support::session::over;

/// A user's machine: a client without a key, and a directory.
struct Device {
    authkit: AuthKit,
    clock: ManualClock,
    directory: PathBuf,
}

impl Device {
    async fn start() -> Outcome<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let clock = clock();
        let ada = TestUser::new("ada@example.com").organization("org_one").organization("org_two");
        let authkit =
            AuthKit::builder().clock(clock.clone()).user(ada).user(TestUser::new("bob@example.com")).start().await?;
        let number = COUNT.fetch_add(1, Ordering::SeqCst);
        let directory = std::env::temp_dir().join(format!("workos-auth-token-{}-{number}", std::process::id()));
        Ok(Self { authkit, clock, directory })
    }

    async fn login(&self) -> Outcome<AuthenticationResponse> {
        self.login_of("ada@example.com").await
    }

    async fn login_of(&self, email: &str) -> Outcome<AuthenticationResponse> {
        in_browser(&self.authkit.public_client(), email).await
    }

    fn file(&self) -> PathBuf {
        self.directory.join("nested/refresh-token")
    }

    /// Another process has a session of its own on the same file.
    fn process(&self) -> Outcome<TokenSession<FileTokenStore>> {
        Ok(TokenSession::new(self.authkit.public_client(), FileTokenStore::open(self.file())?))
    }

    fn requests(&self) -> usize {
        self.authkit.requests_to(AUTHENTICATE)
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.directory));
    }
}

async fn rules<S: TokenStore>(store: &S) -> Outcome {
    let lock = store.lock().await?;
    assert!(store.read().await?.is_none());
    store.remove().await?;
    for token in ["first", "second"] {
        store.write(&StoredToken::new(token)).await?;
        assert_eq!(store.read().await?.ok_or("it is gone")?.expose_secret(), token);
    }
    let second = tokio::time::timeout(Duration::from_millis(100), store.lock()).await;
    assert!(second.is_err(), "there is one lock");
    drop(lock);
    drop(store.lock().await?);
    store.remove().await?;
    assert!(store.read().await?.is_none());
    Ok(())
}

#[tokio::test]
async fn every_store_keeps_a_token() -> Outcome {
    let app = Device::start().await?;
    rules(&MemoryTokenStore::new()).await?;
    rules(&FileTokenStore::open(app.file())?).await?;
    Ok(())
}

#[cfg(feature = "keyring")]
#[tokio::test]
async fn the_keyring_keeps_a_token() -> Outcome {
    let app = Device::start().await?;
    crate::support::keyring::mock();
    rules(&keyring_store(app.directory.join("keyring.lock"))?).await
}

#[cfg(feature = "keyring")]
fn keyring_store(lock: impl Into<PathBuf>) -> Result<workos_auth::session::KeyringTokenStore, Error> {
    workos_auth::session::KeyringTokenStore::new("workos-auth-tests", "default", lock)
}

#[cfg(unix)]
#[tokio::test]
async fn a_token_file_is_its_owners_alone() -> Outcome {
    use std::os::unix::fs::PermissionsExt;

    let app = Device::start().await?;
    let session = app.process()?;
    session.sign_in(app.login().await?).await?;
    let mode = |path: PathBuf| fs::metadata(path).map(|metadata| metadata.permissions().mode() & 0o777);
    assert_eq!(mode(app.file())?, 0o600);
    assert_eq!(mode(app.file().with_file_name("refresh-token.lock"))?, 0o600);
    assert_eq!(mode(app.directory.join("nested"))?, 0o700);

    // What a process that died has left for all to read is not written into.
    let left = app.file().with_file_name("refresh-token.0123456789abcdef.new");
    fs::write(&left, "half a tok")?;
    fs::set_permissions(&left, fs::Permissions::from_mode(0o644))?;
    session.sign_in(app.login().await?).await?;
    assert_eq!(mode(app.file())?, 0o600);
    let names: Vec<_> = fs::read_dir(app.directory.join("nested"))?.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "{names:?}");

    // The refresh token, and nothing else; after an exchange also the one that it replaced, for processes that start at the same time.
    let response = app.login().await?;
    let token = response.refresh_token.expose_secret().to_owned();
    session.sign_in(response).await?;
    let kept = fs::read_to_string(app.file())?;
    assert!(
        kept.starts_with(&format!(r#"{{"refresh_token":"{token}","login":""#)) && kept.len() == token.len() + 53,
        "{kept}"
    );
    app.clock.advance(Duration::from_secs(301));
    access_token(session.authenticate().await);
    let (text, at) = (fs::read_to_string(app.file())?, jiff::Timestamp::try_from(app.clock.now())?);
    let replaced = format!(r#","replaced":{{"refresh_token":"{token}","at":"{at}"}}}}"#);
    assert!(text.starts_with(r#"{"refresh_token":""#) && text.ends_with(&replaced), "{text}");
    Ok(())
}

#[cfg(unix)]
#[allow(clippy::unnecessary_debug_formatting, reason = "the errors quote paths so")]
mod shared_machines {
    use std::os::unix::fs::{PermissionsExt, chown, lchown, symlink};
    use std::path::Path;

    use workos_auth::Error;
    use workos_auth::parking::DirectoryPkceStore;

    use super::*;
    use crate::support::users::{NOBODY, at_once, is_superuser, pipe, superuser_and_nobody};

    fn directory(name: &str) -> PathBuf {
        let directory = std::env::temp_dir().join(format!("workos-auth-{name}-{}", std::process::id()));
        drop(fs::remove_dir_all(&directory));
        directory
    }

    fn mode(path: &Path, mode: u32) -> io::Result<()> {
        fs::set_permissions(path, fs::Permissions::from_mode(mode))
    }

    fn run<T: Send + 'static>(call: impl Future<Output = T> + Send + 'static) -> T {
        at_once(|| tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(call))
    }

    async fn keep(store: FileTokenStore, token: &'static str) -> io::Result<()> {
        let _lock = store.lock().await?;
        store.write(&StoredToken::new(token)).await
    }

    async fn kept(store: FileTokenStore) -> io::Result<Option<String>> {
        Ok(store.read().await?.map(|token| token.expose_secret().to_owned()))
    }

    async fn lock(store: FileTokenStore) -> io::Result<()> {
        store.lock().await.map(drop)
    }

    fn mended(error: &io::Error, path: &Path, advice: &str) {
        let text = error.to_string();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "{text}");
        assert!(text.contains(path.to_str().unwrap()) && text.contains(advice), "{text}");
    }

    #[test]
    fn what_others_can_touch_is_not_trusted() -> Outcome {
        let directory = directory("untrusted");
        let file = directory.join("refresh-token");
        let store = FileTokenStore::open(&file)?;
        let lock_file = directory.join("refresh-token.lock");
        run(keep(store.clone(), "mine"))?;

        for path in [&file, &lock_file] {
            let attempt = || {
                let store = store.clone();
                if *path == file { run(kept(store)).map(drop) } else { run(lock(store)) }
            };
            for open in [0o644, 0o640, 0o620, 0o601, 0o666] {
                mode(path, open)?;
                mended(&attempt().unwrap_err(), path, &format!("`chmod 600 {path:?}`"));
            }
            // As it says.
            mode(path, 0o600)?;
            attempt()?;

            let aside = directory.join("aside");
            fs::rename(path, &aside)?;
            let target = directory.join("target");
            symlink(&aside, path)?;
            mended(&attempt().unwrap_err(), path, "is a symbolic link");
            fs::remove_file(path)?;
            symlink(&target, path)?;
            mended(&attempt().unwrap_err(), path, "is a symbolic link");
            assert!(!target.exists(), "nothing is made where the link leads to");
            fs::remove_file(path)?;

            pipe(path)?;
            mended(&attempt().unwrap_err(), path, "isn't a regular file");
            fs::remove_file(path)?;
            fs::create_dir(path)?;
            mended(&attempt().unwrap_err(), path, "isn't a regular file");
            fs::remove_dir(path)?;

            if is_superuser() {
                fs::write(path, "theirs")?;
                mode(path, 0o600)?;
                chown(path, Some(NOBODY), None)?;
                mended(&attempt().unwrap_err(), path, "belongs to user 65534");
                fs::remove_file(path)?;
            }
            fs::rename(&aside, path)?;
        }
        assert_eq!(run(kept(store.clone()))?.as_deref(), Some("mine"));

        // A login takes the place of what stands there, and doesn't touch what it leads to.
        let target = directory.join("target");
        fs::write(&target, "untouched")?;
        fs::remove_file(&file)?;
        symlink(&target, &file)?;
        run(keep(store.clone(), "mine again"))?;
        assert_eq!(run(kept(store.clone()))?.as_deref(), Some("mine again"));
        fs::remove_file(&file)?;
        symlink(&target, &file)?;
        run(async move { store.remove().await })?;
        assert!(!file.exists() && fs::read_to_string(&target)? == "untouched");
        Ok(fs::remove_dir_all(directory)?)
    }

    #[test]
    fn what_stands_in_the_way_of_a_new_file_blocks_nobody() -> Outcome {
        let directory = directory("in-the-way");
        let file = directory.join("refresh-token");
        let store = FileTokenStore::open(&file)?;
        let target = directory.join("target");
        fs::write(&target, "untouched")?;
        for name in ["refresh-token.new", "refresh-token.0123456789abcdef.new"] {
            let path = directory.join(name);
            fs::create_dir(&path)?;
            run(keep(store.clone(), "beside a directory"))?;
            fs::remove_dir(&path)?;
            pipe(&path)?;
            run(keep(store.clone(), "beside a pipe"))?;
            assert!(path.exists(), "a pipe isn't a file of ours");
            fs::remove_file(&path)?;
            symlink(&target, &path)?;
            run(keep(store.clone(), "beside a link"))?;
            fs::remove_file(&path)?;
            assert_eq!(fs::read_to_string(&target)?, "untouched");
            assert_eq!(run(kept(store.clone()))?.as_deref(), Some("beside a link"));
        }
        // A file of another token's in the same directory is somebody's at work.
        let other = directory.join("refresh-token.staging.0123456789abcdef.new");
        fs::write(&other, "half a tok")?;
        run(keep(store, "beside another"))?;
        assert!(other.exists());
        Ok(fs::remove_dir_all(directory)?)
    }

    #[test]
    fn the_directory_is_one_that_nobody_else_can_change() -> Outcome {
        let directory = directory("open");
        fs::create_dir(&directory)?;
        let refused = |advice: &str| {
            let open = || -> Vec<Error> {
                let path = directory.join("file");
                vec![
                    FileTokenStore::open(&path).unwrap_err(),
                    #[cfg(feature = "keyring")]
                    keyring_store(&path).unwrap_err(),
                    DirectoryPkceStore::open(&directory).unwrap_err(),
                ]
            };
            for error in open() {
                let source = error.source().map(ToString::to_string).unwrap_or_default();
                assert!(source.contains(advice) && source.contains(directory.to_str().unwrap()), "{source}");
            }
        };
        for open in [0o777, 0o770, 0o707, 0o722, 0o720] {
            mode(&directory, open)?;
            refused(&format!("`chmod go-w {directory:?}`"));
        }
        for good in [0o700, 0o755, 0o1777] {
            mode(&directory, good)?;
            FileTokenStore::open(directory.join("file"))?;
            DirectoryPkceStore::open(&directory)?;
        }
        mode(&directory, 0o700)?;
        if is_superuser() {
            chown(&directory, Some(NOBODY), None)?;
            refused("belongs to user 65534, not to user 0");
            chown(&directory, Some(0), None)?;
        }
        // A link to it is as good as its owner.
        let aside = directory.with_extension("aside");
        fs::rename(&directory, &aside)?;
        symlink(&aside, &directory)?;
        FileTokenStore::open(directory.join("file"))?;
        if is_superuser() {
            lchown(&directory, Some(NOBODY), None)?;
            refused("belongs to user 65534, not to user 0");
            // However it is named: a slash after a link makes the operating system follow it.
            for name in [format!("{}/", directory.display()), format!("{}/.", directory.display())] {
                let error = DirectoryPkceStore::open(&name).map(drop).unwrap_err();
                let source = std::error::Error::source(&error).ok_or("no source")?.to_string();
                assert!(source.contains("belongs to user 65534, not to user 0"), "{name}: {source}");
            }
        }
        fs::remove_file(&directory)?;
        fs::rename(&aside, &directory)?;
        Ok(fs::remove_dir_all(directory)?)
    }

    #[test]
    fn files_of_another_user_block_nobody() -> Outcome {
        superuser_and_nobody(
            "token_session::shared_machines::files_of_another_user_block_nobody",
            |directory| {
                for name in ["refresh-token.new", "refresh-token.0123456789abcdef.new", "planted"] {
                    fs::write(directory.join(name), "theirs")?;
                    mode(&directory.join(name), 0o644)?;
                }
                Ok(())
            },
            |directory| {
                let store = FileTokenStore::open(directory.join("refresh-token"))?;
                run(keep(store.clone(), "first"))?;
                run(keep(store.clone(), "mine"))?;
                assert_eq!(run(kept(store))?.as_deref(), Some("mine"));

                let planted = directory.join("planted");
                let store = FileTokenStore::open(&planted)?;
                let error = run(kept(store)).unwrap_err();
                mended(&error, &planted, "belongs to user 0, not to user 65534");
                // Not even one that can't be opened.
                let shadow = FileTokenStore::open("/etc/shadow")?;
                mended(&run(kept(shadow.clone())).unwrap_err(), "/etc/shadow".as_ref(), "belongs to user 0");
                assert!(run(lock(shadow)).is_err());
                Ok(())
            },
        )
    }
}

#[tokio::test]
async fn a_session_from_login_to_logout() -> Outcome {
    let app = Device::start().await?;
    let session = app.process()?;
    over(session.authenticate().await, SignedOutReason::NotFound);
    session.sign_in(app.login().await?).await?;
    let before = app.requests();
    let first = access_token(session.authenticate().await);
    assert_eq!(access_token(session.clone().authenticate().await), first);
    assert_eq!(app.requests() - before, 0, "the login's own access token is good");

    // Ten tasks, one exchange; and another process has one of its own.
    app.clock.advance(Duration::from_secs(301));
    let mut tasks = JoinSet::new();
    for _ in 0..10 {
        let session = session.clone();
        tasks.spawn(async move { access_token(session.authenticate().await) });
    }
    let tokens = tasks.join_all().await;
    assert!(tokens.iter().all(|token| *token == tokens[0] && *token != first));
    assert_eq!(app.requests() - before, 1);
    let other = app.process()?;
    assert_eq!(access_token(other.authenticate().await), tokens[0], "the same pair once more");
    assert_eq!((app.requests() - before, app.authkit.refreshes()), (2, 1));
    app.clock.advance(Duration::from_secs(15));
    assert_ne!(access_token(app.process()?.authenticate().await), tokens[0]);
    assert_eq!((app.requests() - before, app.authkit.refreshes()), (3, 2));

    let two = OrganizationId::new("org_two")?;
    let switched = session.switch_organization(two.clone()).await?;
    assert_eq!(switched.token().organization_id(), Some(&two));
    let refused = session.switch_organization(OrganizationId::new("org_three")?).await;
    assert!(matches!(&refused, Err(SwitchError::Kept(error)) if !error.is_transient()), "{refused:?}");
    assert_eq!(session.authenticate().await.active()?.organization_id(), Some(&two));

    let id = switched.token().session_id().clone();
    let logged_out = other.sign_out(None).await?.ok_or("no URL")?;
    assert!(logged_out.as_str().ends_with(&format!("/user_management/sessions/logout?session_id={id}")));
    assert!(!app.file().exists());
    // The other process notices at once.
    over(session.authenticate().await, SignedOutReason::NotFound);
    assert!(session.sign_out(None).await?.is_none());

    // Neither does it take another user's login for its own.
    session.sign_in(app.login().await?).await?;
    other.sign_out(None).await?;
    other.sign_in(app.login_of("bob@example.com").await?).await?;
    assert_eq!(session.authenticate().await.active()?.user().email, "bob@example.com");
    Ok(())
}

#[tokio::test]
async fn a_session_outlives_an_outage() -> Outcome {
    let app = Device::start().await?;
    app.process()?.sign_in(app.login().await?).await?;
    for fault in [Fault::Status(500, None), Fault::Status(429, None), Fault::LostBefore, Fault::Truncated] {
        app.authkit.inject_for(AUTHENTICATE, fault, Duration::from_secs(3600));
        let state = app.process()?.authenticate().await;
        assert!(matches!(&state, SessionState::TemporarilyUnknown(error) if error.is_transient()), "{state:?}");
        app.authkit.heal();
    }
    // The last of them was done without its reply arriving: the token that is kept is replayed.
    access_token(app.process()?.authenticate().await);
    app.clock.advance(Duration::from_secs(60));
    access_token(app.process()?.authenticate().await);
    Ok(())
}

#[tokio::test]
async fn a_dead_token_is_removed() -> Outcome {
    let app = Device::start().await?;
    let session = app.process()?;
    session.sign_in(app.login().await?).await?;
    let id = session.authenticate().await.active()?.token().session_id().clone();
    app.authkit.end_session(id.as_str());
    app.clock.advance(Duration::from_secs(301));
    let error = Error::from(over(session.authenticate().await, SignedOutReason::Ended));
    assert_eq!(error.code(), Some(&ErrorCode::InvalidGrant));
    assert!(!app.file().exists());
    over(session.authenticate().await, SignedOutReason::NotFound);
    Ok(())
}

/// Shows what another process has replaced since, so many times.
struct Behind {
    store: MemoryTokenStore,
    old: std::sync::Mutex<Vec<StoredToken>>,
}

impl TokenStore for Behind {
    type Lock = <MemoryTokenStore as TokenStore>::Lock;

    async fn lock(&self) -> io::Result<Self::Lock> {
        self.store.lock().await
    }

    async fn read(&self) -> io::Result<Option<StoredToken>> {
        let old = self.old.lock().unwrap().pop();
        if old.is_some() { Ok(old) } else { self.store.read().await }
    }

    async fn write(&self, token: &StoredToken) -> io::Result<()> {
        self.store.write(token).await
    }

    async fn remove(&self) -> io::Result<()> {
        self.store.remove().await
    }
}

fn kept(token: &RefreshToken) -> StoredToken {
    StoredToken::new(format!(r#"{{"refresh_token":"{}","login":"first"}}"#, token.expose_secret()))
}

/// What becomes of a process that read `reads` times before another one rotated the token: requests and rotations.
async fn overtaken(reads: usize) -> Outcome<(usize, usize)> {
    let app = Device::start().await?;
    let response = app.login().await?;
    let old = (0..reads).map(|_| kept(&response.refresh_token)).collect::<Vec<_>>().into();
    let newer = app.authkit.public_client().authenticate_with_refresh_token(response.refresh_token).send().await?;
    // Too late for a replay.
    app.clock.advance(Duration::from_secs(31));
    let store = Behind { store: MemoryTokenStore::new(), old };
    store.write(&kept(&newer.refresh_token)).await?;
    let (requests, rotations) = (app.requests(), app.authkit.refreshes());
    let session = TokenSession::new(app.authkit.public_client(), store);
    access_token(session.authenticate().await);
    Ok((app.requests() - requests, app.authkit.refreshes() - rotations))
}

#[tokio::test]
async fn another_process_may_have_rotated_the_token() -> Outcome {
    assert_eq!(overtaken(1).await?, (1, 1), "it reads again when it has the lock");
    assert_eq!(overtaken(2).await?, (2, 1), "without a lock it reads again after `invalid_grant`");
    Ok(())
}

#[tokio::test]
async fn a_store_that_fails_signs_nobody_out() -> Outcome {
    let app = Device::start().await?;
    let session = app.process()?;
    session.sign_in(app.login().await?).await?;
    app.clock.advance(Duration::from_secs(301));
    // A directory stands where the file should be.
    fs::remove_file(app.file())?;
    fs::create_dir(app.file())?;
    let SessionState::TemporarilyUnknown(error) = session.authenticate().await else { panic!("unknown") };
    // Somebody must remove the directory first.
    assert!(matches!(error.kind(), ErrorKind::Store) && !error.is_transient());
    let rejected = session.sign_in(app.login().await?).await.unwrap_err();
    assert!(matches!(rejected.error().kind(), ErrorKind::Store));
    fs::remove_dir(app.file())?;
    session.sign_in(rejected.recover()?).await?;
    access_token(session.authenticate().await);
    assert!(!format!("{session:?}").contains(&fs::read_to_string(app.file())?));

    // What this crate did not write isn't a session.
    fs::write(app.file(), "hello")?;
    let state = app.process()?.authenticate().await;
    over(state, SignedOutReason::Unreadable);
    Ok(())
}

/// Refuses to write for a while, or panics instead.
#[derive(Default)]
struct Full {
    store: MemoryTokenStore,
    refusals: AtomicU32,
    panics: AtomicBool,
}

impl TokenStore for Full {
    type Lock = <MemoryTokenStore as TokenStore>::Lock;

    async fn lock(&self) -> io::Result<Self::Lock> {
        self.store.lock().await
    }

    async fn read(&self) -> io::Result<Option<StoredToken>> {
        self.store.read().await
    }

    async fn write(&self, token: &StoredToken) -> io::Result<()> {
        let refused = self.refusals.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        assert!(refused.is_err() || !self.panics.load(Ordering::SeqCst), "it panics");
        if refused.is_ok() { Err(io::ErrorKind::StorageFull.into()) } else { self.store.write(token).await }
    }

    async fn remove(&self) -> io::Result<()> {
        self.store.remove().await
    }
}

#[tokio::test]
async fn a_new_token_is_written_again_and_again() -> Outcome {
    for panics in [false, true] {
        let app = Device::start().await?;
        let (store, session) = full(&app, 5).await?;
        store.panics.store(panics, Ordering::SeqCst);
        access_token(session.authenticate().await);
        session.finish_within(Duration::ZERO).await?;
        // Nothing but the token that was written is good now.
        app.clock.advance(Duration::from_secs(60));
        access_token(TokenSession::new(app.authkit.public_client(), Shared(store)).authenticate().await);
    }
    Ok(())
}

/// One store for two sessions.
struct Shared<S>(Arc<S>);

impl<S: TokenStore> TokenStore for Shared<S> {
    type Lock = S::Lock;

    async fn lock(&self) -> io::Result<Self::Lock> {
        self.0.lock().await
    }

    async fn read(&self) -> io::Result<Option<StoredToken>> {
        self.0.read().await
    }

    async fn write(&self, token: &StoredToken) -> io::Result<()> {
        self.0.write(token).await
    }

    async fn remove(&self) -> io::Result<()> {
        self.0.remove().await
    }
}

#[tokio::test]
async fn a_caller_who_is_cancelled_loses_nothing() -> Outcome {
    let app = Device::start().await?;
    let session = app.process()?;
    session.sign_in(app.login().await?).await?;
    app.clock.advance(Duration::from_secs(301));
    app.authkit.inject(AUTHENTICATE, Fault::Slow(Duration::from_millis(500)), 1);
    let before = fs::read_to_string(app.file())?;
    let cancelled = tokio::time::timeout(Duration::from_millis(100), session.authenticate()).await;
    assert!(cancelled.is_err());
    let session = Arc::new(session);
    access_token(session.authenticate().await);
    assert_ne!(fs::read_to_string(app.file())?, before);
    app.clock.advance(Duration::from_secs(60));
    access_token(app.process()?.authenticate().await);
    Ok(())
}

#[tokio::test]
async fn keys_that_are_down_cause_one_rotation_per_token_life() -> Outcome {
    let app = Device::start().await?;
    app.process()?.sign_in(app.login().await?).await?;
    let session = app.process()?;
    app.authkit.inject_for(Endpoint::Jwks, Fault::Status(500, None), Duration::from_secs(3600));
    for _ in 0..10 {
        let state = session.authenticate().await;
        assert!(matches!(&state, SessionState::TemporarilyUnknown(error) if error.is_transient()), "{state:?}");
        app.clock.advance(Duration::from_secs(10));
    }
    assert_eq!(app.authkit.refreshes(), 1);
    app.authkit.heal();
    app.clock.advance(Duration::from_secs(40));
    access_token(session.authenticate().await);
    assert_eq!(app.authkit.refreshes(), 1, "its pair was kept");
    Ok(())
}

#[tokio::test]
async fn a_clock_that_is_ahead_causes_one_rotation_per_token_life() -> Outcome {
    let app = Device::start().await?;
    app.authkit.set_skew(Skew::Behind(Duration::from_secs(400)));
    let session = app.process()?;
    session.sign_in(app.login().await?).await?;
    for _ in 0..20 {
        app.clock.advance(Duration::from_secs(10));
        let state = session.authenticate().await;
        assert!(matches!(&state, SessionState::TemporarilyUnknown(_)), "{state:?}");
    }
    assert_eq!(app.authkit.refreshes(), 1);
    app.authkit.set_skew(Skew::NONE);
    app.clock.advance(Duration::from_secs(120));
    access_token(session.authenticate().await);
    Ok(())
}

#[tokio::test]
async fn a_token_that_is_good_still_outlives_an_outage() -> Outcome {
    let app = Device::start().await?;
    let session = app.process()?;
    session.sign_in(app.login().await?).await?;
    app.clock.advance(Duration::from_secs(275));
    app.authkit.inject_for(AUTHENTICATE, Fault::Status(401, None), Duration::from_secs(3600));
    access_token(session.authenticate().await);
    Ok(())
}

#[tokio::test]
async fn an_answer_comes_in_time_and_the_work_goes_on() -> Outcome {
    let app = Device::start().await?;
    let session = app.process()?.answer_within(Duration::from_millis(200));
    session.sign_in(app.login().await?).await?;
    app.clock.advance(Duration::from_secs(301));
    app.authkit.inject(AUTHENTICATE, Fault::Slow(Duration::from_millis(800)), 1);
    let started = std::time::Instant::now();
    let SessionState::TemporarilyUnknown(error) = session.authenticate().await else { panic!("unknown") };
    assert!(matches!(error.kind(), ErrorKind::Timeout) && error.is_transient());
    assert!(started.elapsed() < Duration::from_millis(700), "{:?}", started.elapsed());
    tokio::time::sleep(Duration::from_millis(900)).await;
    access_token(session.authenticate().await);
    assert_eq!(app.authkit.refreshes(), 1);
    Ok(())
}

/// Says how many wait for its lock.
struct Queue {
    store: MemoryTokenStore,
    waiting: AtomicU32,
}

/// One who waits for the lock.
struct Waiting<'a>(&'a AtomicU32);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl TokenStore for Queue {
    type Lock = <MemoryTokenStore as TokenStore>::Lock;

    async fn lock(&self) -> io::Result<Self::Lock> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let _waiting = Waiting(&self.waiting);
        self.store.lock().await
    }

    async fn read(&self) -> io::Result<Option<StoredToken>> {
        self.store.read().await
    }

    async fn write(&self, token: &StoredToken) -> io::Result<()> {
        self.store.write(token).await
    }

    async fn remove(&self) -> io::Result<()> {
        self.store.remove().await
    }
}

#[tokio::test]
async fn callers_who_are_gone_leave_no_queue_for_the_lock() -> Outcome {
    let app = Device::start().await?;
    let store = Arc::new(Queue { store: MemoryTokenStore::new(), waiting: AtomicU32::new(0) });
    let session = TokenSession::new(app.authkit.public_client(), Shared(Arc::clone(&store)))
        .answer_within(Duration::from_millis(50));
    session.sign_in(app.login().await?).await?;
    app.clock.advance(Duration::from_secs(301));
    app.authkit.inject(AUTHENTICATE, Fault::Slow(Duration::from_millis(1_500)), 1);
    for _ in 0..20 {
        let state = session.authenticate().await;
        assert!(matches!(state, SessionState::TemporarilyUnknown(_)), "{state:?}");
    }
    tokio::task::yield_now().await;
    assert_eq!(store.waiting.load(Ordering::SeqCst), 0);
    // The holder of the lock goes on.
    tokio::time::sleep(Duration::from_secs(1)).await;
    access_token(session.authenticate().await);
    assert_eq!(app.authkit.refreshes(), 1);
    Ok(())
}

#[tokio::test]
async fn an_exchange_goes_on_until_its_replay_window_closes() -> Outcome {
    let app = Device::start().await?;
    let session = app.process()?;
    session.sign_in(app.login().await?).await?;
    app.clock.advance(Duration::from_secs(301));
    app.authkit.inject_for(AUTHENTICATE, Fault::LostAfter, Duration::from_secs(24));
    access_token(session.authenticate().await);
    assert_eq!(app.authkit.refreshes(), 1);
    Ok(())
}

#[tokio::test]
async fn a_switch_is_not_taken_for_done_when_another_process_was_there_before() -> Outcome {
    let app = Device::start().await?;
    let response = app.login().await?;
    let store = MemoryTokenStore::new();
    store.write(&kept(&response.refresh_token)).await?;
    // Without a lock.
    let newer = app.authkit.public_client().authenticate_with_refresh_token(response.refresh_token).send().await?;
    let two = OrganizationId::new("org_two")?;
    assert_ne!(newer.organization_id.as_ref(), Some(&two));
    let session = TokenSession::new(app.authkit.public_client(), store);
    let switched = session.switch_organization(two.clone()).await?;
    assert_eq!(switched.token().organization_id(), Some(&two));
    assert_eq!(session.authenticate().await.active()?.organization_id(), Some(&two));
    Ok(())
}

/// A store whose file system is full from now on, for so many attempts to write.
async fn full(app: &Device, refusals: u32) -> Outcome<(Arc<Full>, TokenSession<Shared<Full>>)> {
    let store = Full::default();
    store.write(&kept(&app.login().await?.refresh_token)).await?;
    store.refusals.store(refusals, Ordering::SeqCst);
    let store = Arc::new(store);
    Ok((Arc::clone(&store), TokenSession::new(app.authkit.public_client(), Shared(store))))
}

fn is_full(error: &Error) -> bool {
    let source = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    source.is_some_and(|source| source.kind() == io::ErrorKind::StorageFull)
}

#[tokio::test]
async fn nobody_is_active_before_the_new_token_is_written() -> Outcome {
    let app = Device::start().await?;
    // For about 8 seconds.
    let (store, session) = full(&app, 80).await?;
    let SessionState::TemporarilyUnknown(error) = session.authenticate().await else { panic!("nothing is kept yet") };
    assert!(is_full(&error), "{error:?}");
    // Another call waits for the same write.
    let impatient = session.clone().answer_within(Duration::from_millis(100));
    let SessionState::TemporarilyUnknown(error) = impatient.authenticate().await else { panic!("nothing is kept yet") };
    assert!(is_full(&error), "{error:?}");
    // Before the process ends, the file system has room again.
    assert!(store.refusals.load(Ordering::SeqCst) > 0);
    session.clone().finish_within(Duration::from_secs(30)).await?;
    access_token(session.authenticate().await);
    assert_eq!(app.authkit.refreshes(), 1);
    app.clock.advance(Duration::from_secs(60));
    access_token(TokenSession::new(app.authkit.public_client(), Shared(store)).authenticate().await);
    Ok(())
}

#[tokio::test]
async fn a_process_that_ends_hears_that_the_new_token_is_not_kept() -> Outcome {
    for panics in [false, true] {
        let app = Device::start().await?;
        let (store, session) = full(&app, u32::MAX).await?;
        store.panics.store(panics, Ordering::SeqCst);
        let session = session.answer_within(Duration::from_millis(500));
        assert!(matches!(session.authenticate().await, SessionState::TemporarilyUnknown(_)));
        let began = std::time::Instant::now();
        let error = session.clone().finish_within(Duration::from_millis(300)).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Store) && is_full(&error) != panics, "{error:?}");
        assert!(began.elapsed() < Duration::from_secs(5));
        // A new login, or a sign-out, makes it irrelevant.
        store.refusals.store(0, Ordering::SeqCst);
        session.sign_in(app.login().await?).await?;
        session.finish_within(Duration::from_secs(30)).await?;
    }
    Ok(())
}

#[tokio::test]
async fn an_old_token_that_is_good_still_is_no_answer_while_the_new_one_is_not_kept() -> Outcome {
    let app = Device::start().await?;
    let unknown = |state| match state {
        SessionState::TemporarilyUnknown(error) => assert!(is_full(&error), "{error:?}"),
        state => panic!("the next process is signed out: {state:?}"),
    };
    // Ahead of its expiry.
    let (store, session) = full(&app, 0).await?;
    let session = session.answer_within(Duration::from_millis(500));
    access_token(session.authenticate().await);
    app.clock.advance(Duration::from_secs(280));
    store.refusals.store(u32::MAX, Ordering::SeqCst);
    unknown(session.authenticate().await);
    assert_eq!(app.authkit.refreshes(), 2);
    unknown(session.authenticate().await);
    store.refusals.store(0, Ordering::SeqCst);
    access_token(session.authenticate().await);

    // In the middle of its life.
    store.refusals.store(u32::MAX, Ordering::SeqCst);
    let switched = session.switch_organization(OrganizationId::new("org_two")?).await;
    assert!(matches!(&switched, Err(SwitchError::Kept(error)) if is_full(error)), "{switched:?}");
    unknown(session.authenticate().await);
    store.refusals.store(0, Ordering::SeqCst);
    access_token(session.authenticate().await);
    assert_eq!(app.authkit.refreshes(), 3);
    app.clock.advance(Duration::from_secs(60));
    access_token(TokenSession::new(app.authkit.public_client(), Shared(store)).authenticate().await);
    Ok(())
}

#[tokio::test]
async fn a_sign_out_does_not_wait_until_a_token_is_written() -> Outcome {
    let app = Device::start().await?;
    let (store, session) = full(&app, u32::MAX).await?;
    let session = session.answer_within(Duration::from_millis(300));
    assert!(matches!(session.authenticate().await, SessionState::TemporarilyUnknown(_)));
    let began = std::time::Instant::now();
    assert!(session.sign_out(None).await?.is_some());
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert!(store.read().await?.is_none());
    over(session.authenticate().await, SignedOutReason::NotFound);
    session.clone().finish_within(Duration::ZERO).await?;
    // The next login's tokens are written again and again, as before.
    store.refusals.store(0, Ordering::SeqCst);
    session.sign_in(app.login().await?).await?;
    app.clock.advance(Duration::from_secs(301));
    store.refusals.store(5, Ordering::SeqCst);
    access_token(session.answer_within(Duration::from_secs(10)).authenticate().await);
    Ok(())
}

#[tokio::test]
async fn a_process_that_ends_waits_for_an_exchange() -> Outcome {
    let app = Device::start().await?;
    let session = app.process()?.answer_within(Duration::from_millis(100));
    session.sign_in(app.login().await?).await?;
    let before = fs::read_to_string(app.file())?;
    // Nothing is under way.
    session.clone().finish_within(Duration::ZERO).await?;
    app.clock.advance(Duration::from_secs(301));
    app.authkit.inject(AUTHENTICATE, Fault::Slow(Duration::from_secs(1)), 1);
    assert!(matches!(session.authenticate().await, SessionState::TemporarilyUnknown(_)));
    let error = session.clone().finish_within(Duration::from_millis(100)).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Timeout), "{error:?}");
    session.finish_within(Duration::from_secs(30)).await?;
    assert_ne!(fs::read_to_string(app.file())?, before);
    Ok(())
}

/// Its writes take a moment, and go on when the caller is cancelled, as those of a keyring do.
struct Unhurried(Arc<MemoryTokenStore>);

impl TokenStore for Unhurried {
    type Lock = <MemoryTokenStore as TokenStore>::Lock;

    async fn lock(&self) -> io::Result<Self::Lock> {
        self.0.lock().await
    }

    async fn read(&self) -> io::Result<Option<StoredToken>> {
        self.0.read().await
    }

    async fn write(&self, token: &StoredToken) -> io::Result<()> {
        let (store, token) = (Arc::clone(&self.0), StoredToken::new(token.expose_secret()));
        let work = async move {
            tokio::time::sleep(Duration::from_millis(300)).await;
            store.write(&token).await
        };
        tokio::spawn(work).await?
    }

    async fn remove(&self) -> io::Result<()> {
        self.0.remove().await
    }
}

#[tokio::test]
async fn a_sign_in_whose_caller_is_gone_is_whole() -> Outcome {
    let app = Device::start().await?;
    let store = Arc::new(MemoryTokenStore::new());
    let session = TokenSession::new(app.authkit.public_client(), Unhurried(Arc::clone(&store)));
    let response = app.login().await?;
    let (requests, cancelled) = (app.requests(), Duration::from_millis(100));
    assert!(tokio::time::timeout(cancelled, session.sign_in(response)).await.is_err());
    // Nobody else writes meanwhile.
    assert!(tokio::time::timeout(Duration::ZERO, store.lock()).await.is_err());
    session.clone().finish_within(Duration::from_secs(5)).await?;
    drop(store.lock().await?);
    // With its access token.
    access_token(session.authenticate().await);
    assert_eq!(app.requests(), requests);
    // That outlives a write which takes its time.
    app.clock.advance(Duration::from_secs(280));
    access_token(session.answer_within(cancelled).authenticate().await);
    Ok(())
}

#[tokio::test]
async fn nobody_waits_for_the_lock_forever() -> Outcome {
    let app = Device::start().await?;
    let store = Arc::new(MemoryTokenStore::new());
    let session = TokenSession::new(app.authkit.public_client(), Shared(Arc::clone(&store)));
    let (_full, writer) = full(&app, u32::MAX).await?;
    let state = writer.clone().answer_within(Duration::from_millis(300)).authenticate().await;
    assert!(matches!(state, SessionState::TemporarilyUnknown(_)), "{state:?}");
    let (response, second) = (app.login().await?, app.login().await?);
    let _another = store.lock().await?;
    tokio::time::pause();
    let told = |error: &Error| error.source().map(ToString::to_string);
    let rejected = tokio::time::timeout(Duration::from_secs(31), session.sign_in(response)).await?.unwrap_err();
    assert_eq!(told(rejected.error()).as_deref(), Some("another process holds the lock"));
    assert!(rejected.recover().is_ok());
    let error = tokio::time::timeout(Duration::from_secs(31), session.sign_out(None)).await?.unwrap_err();
    assert_eq!(told(&error).as_deref(), Some("another process holds the lock"));
    assert!(error.is_transient());
    // This process has it, and can't write.
    let rejected = tokio::time::timeout(Duration::from_secs(31), writer.sign_in(second)).await?.unwrap_err();
    assert!(is_full(rejected.error()), "{rejected:?}");
    Ok(())
}
