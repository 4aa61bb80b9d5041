//! Files that only their owner can use, in directories that no other user can change.
//!
//! A file is opened without following a link and without waiting for the other end of a pipe. Then the open file is checked, not its
//! name: it must be a regular file, owned by the effective user, without access for others.
#![allow(
    clippy::unnecessary_debug_formatting,
    reason = "a quoted path can be used in a shell and has no control characters"
)]

use std::ffi::OsStr;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

/// The end of the name of an unfinished file, after a random part.
const NEW_SUFFIX: &[u8] = b".new";

/// A directory that the effective user or the superuser owns, and that no other user may write to unless it is sticky. On systems
/// other than Unix, any directory.
#[derive(Clone, Debug)]
pub(crate) struct PrivateDirectory(PathBuf);

impl PrivateDirectory {
    /// Opens it, and creates it (mode 0700 on Unix) if it doesn't exist.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        // Without a slash at its end, which would make the operating system follow a link before it is checked.
        let path: PathBuf = path.components().collect();
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        let look = || Ok((fs::symlink_metadata(&path)?, fs::metadata(&path)?));
        let (link, made) = builder.create(&path).and_then(|()| look()).map_err(|error| at(&path, error))?;
        match rules::wrong_with_directory(&link, &made, &path) {
            Some(wrong) => Err(refused(&path, &wrong)),
            None => Ok(Self(path)),
        }
    }

    /// The directory of a file, and the file's name.
    #[cfg(any(feature = "files", feature = "keyring"))]
    pub(crate) fn of(path: &Path) -> io::Result<(Self, std::ffi::OsString)> {
        let name = path.file_name().ok_or_else(|| refused(path, "doesn't name a file"))?;
        let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
        Ok((Self::open(directory.unwrap_or(Path::new(".")))?, name.to_owned()))
    }

    /// Opens a file, and creates it with mode 0600 on Unix if the options say so.
    pub(crate) fn file(&self, name: impl AsRef<Path>, options: &mut OpenOptions) -> io::Result<File> {
        let path = self.0.join(name);
        rules::restrict(options);
        let wrong = |metadata: Metadata| rules::wrong_with_file(&metadata, &path).map(|wrong| refused(&path, &wrong));
        match options.open(&path).and_then(|file| Ok((file.metadata()?, file))) {
            Ok((metadata, file)) => wrong(metadata).map_or(Ok(file), Err),
            // The reason why the file is refused says more than the error of the operating system.
            Err(error) => Err(fs::symlink_metadata(&path).ok().and_then(wrong).unwrap_or_else(|| at(&path, error))),
        }
    }

    /// The error with the path of the file.
    pub(crate) fn at(&self, name: impl AsRef<Path>, error: io::Error) -> io::Error {
        at(&self.0.join(name), error)
    }

    /// The content of a file, if it exists.
    pub(crate) fn read(&self, name: impl AsRef<Path>) -> io::Result<Option<Vec<u8>>> {
        let mut content = Vec::new();
        match self.file(&name, OpenOptions::new().read(true)) {
            Ok(mut file) => file.read_to_end(&mut content).map_err(|error| self.at(name, error))?,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(Some(content))
    }

    /// Replaces a file as a whole. A process that dies leaves the old file or the new one, and perhaps a `.new` file.
    pub(crate) fn replace(&self, name: impl AsRef<OsStr>, content: &[u8]) -> io::Result<()> {
        let new = self.written(name.as_ref(), content)?;
        let path = self.0.join(name.as_ref());
        if let Err(error) = fs::rename(&new, &path) {
            drop(fs::remove_file(&new));
            return Err(at(&path, error));
        }
        self.sync()
    }

    /// Does what a replacement needs room for, and takes it back.
    #[cfg(feature = "files")]
    pub(crate) fn rehearse(&self, name: impl AsRef<OsStr>, content: &[u8]) -> io::Result<()> {
        let new = self.written(name.as_ref(), content)?;
        fs::remove_file(&new).map_err(|error| at(&new, error))
    }

    /// A new file with this content, beside the file of this name.
    fn written(&self, name: &OsStr, content: &[u8]) -> io::Result<PathBuf> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let mut new = name.to_owned();
        // A random name, which no other process can take first.
        new.push(format!(".{:016x}.new", u64::from_le_bytes(random)));
        let mut file = self.file(&new, OpenOptions::new().write(true).create_new(true))?;
        let new = self.0.join(new);
        if let Err(error) = file.write_all(content).and_then(|()| file.sync_all()) {
            drop(fs::remove_file(&new));
            return Err(at(&self.0.join(name), error));
        }
        Ok(new)
    }

    /// Removes a file, and returns whether it existed.
    pub(crate) fn remove(&self, name: impl AsRef<Path>) -> io::Result<bool> {
        let path = self.0.join(name);
        match fs::remove_file(&path) {
            Ok(()) => self.sync().map(|()| true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(at(&path, error)),
        }
    }

    /// Removes the stale files. It skips those of other users, what isn't a file, and what can't be removed.
    pub(crate) fn sweep(&self, stale: impl Fn(&OsStr, &Metadata) -> bool) {
        let Ok(entries) = fs::read_dir(&self.0) else { return };
        for entry in entries.flatten() {
            let path = entry.path();
            // This doesn't follow links.
            let stale = fs::symlink_metadata(&path)
                .is_ok_and(|metadata| rules::is_own_file(&metadata) && stale(&entry.file_name(), &metadata));
            if stale {
                drop(fs::remove_file(path));
            }
        }
    }

    /// Makes a renamed file survive a power failure.
    #[cfg(unix)]
    fn sync(&self) -> io::Result<()> {
        match File::open(&self.0).and_then(|directory| directory.sync_all()) {
            // Some file systems don't support it, and some directories can be written but not read.
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::InvalidInput | ErrorKind::Unsupported | ErrorKind::PermissionDenied
                ) =>
            {
                Ok(())
            }
            other => other.map_err(|error| at(&self.0, error)),
        }
    }

    #[cfg(not(unix))]
    #[allow(clippy::unnecessary_wraps, clippy::unused_self, reason = "this system can't sync directories")]
    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

/// The final name of an unfinished file that [`PrivateDirectory::replace`] has made.
pub(crate) fn new_of(name: &OsStr) -> Option<&[u8]> {
    let rest = name.as_encoded_bytes().strip_suffix(NEW_SUFFIX)?;
    let (name, random) = rest.split_at_checked(rest.len().checked_sub(17)?)?;
    let random = random.strip_prefix(b".")?;
    random.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')).then_some(name)
}

/// Adds the path: the error of the operating system doesn't name it.
fn at(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{path:?}: {error}"))
}

fn refused(path: &Path, wrong: &str) -> io::Error {
    io::Error::new(ErrorKind::PermissionDenied, format!("{path:?} {wrong}"))
}

/// The checks of owners and modes.
#[cfg(unix)]
mod rules {
    use std::fs::{Metadata, OpenOptions};
    use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
    use std::path::Path;

    use rustix::fs::OFlags;
    use rustix::process::geteuid;

    const ROOT: u32 = 0;
    const GROUP_AND_OTHERS: u32 = 0o077;
    const WRITTEN_BY_OTHERS: u32 = 0o022;
    /// Users can remove and rename only their own files in such a directory.
    const STICKY: u32 = 0o1000;

    /// For the effective user only, without following a link or waiting for a pipe. The standard library adds `O_CLOEXEC`.
    pub(super) fn restrict(options: &mut OpenOptions) {
        options.mode(0o600).custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed());
    }

    pub(super) fn is_own_file(metadata: &Metadata) -> bool {
        metadata.is_file() && metadata.uid() == geteuid().as_raw()
    }

    /// Why a file is refused, and how to fix it.
    pub(super) fn wrong_with_file(metadata: &Metadata, path: &Path) -> Option<String> {
        let (owner, user, mode) = (metadata.uid(), geteuid().as_raw(), metadata.mode() & 0o7777);
        if metadata.is_symlink() {
            Some("is a symbolic link: remove it, or name the file that it leads to".to_owned())
        } else if !metadata.is_file() {
            Some("isn't a regular file: name another path".to_owned())
        } else if owner != user {
            Some(format!(
                "belongs to user {owner}, not to user {user}: remove it, or, if it is yours, `chown {user} {path:?}`"
            ))
        } else if mode & GROUP_AND_OTHERS != 0 {
            Some(format!("is open to other users (mode {mode:04o}): `chmod 600 {path:?}`"))
        } else {
            None
        }
    }

    /// Why a directory, or a link that leads to it, is refused.
    pub(super) fn wrong_with_directory(link: &Metadata, metadata: &Metadata, path: &Path) -> Option<String> {
        let (user, mode) = (geteuid().as_raw(), metadata.mode() & 0o7777);
        let foreign = [link, metadata].map(MetadataExt::uid).into_iter().find(|owner| *owner != user && *owner != ROOT);
        if !metadata.is_dir() {
            Some("isn't a directory".to_owned())
        } else if let Some(owner) = foreign {
            Some(format!(
                "belongs to user {owner}, not to user {user}: take another directory, or, if it is yours, `chown {user} {path:?}`"
            ))
        } else if mode & WRITTEN_BY_OTHERS != 0 && mode & STICKY == 0 {
            Some(format!("can be changed by other users (mode {mode:04o}): `chmod go-w {path:?}`"))
        } else {
            None
        }
    }
}

/// On other systems, only the access rights of the directory protect its files.
#[cfg(not(unix))]
mod rules {
    use std::fs::{Metadata, OpenOptions};
    use std::path::Path;

    pub(super) fn restrict(_: &mut OpenOptions) {}

    pub(super) fn is_own_file(metadata: &Metadata) -> bool {
        metadata.is_file()
    }

    pub(super) fn wrong_with_file(metadata: &Metadata, _: &Path) -> Option<String> {
        (!metadata.is_file()).then(|| "isn't a regular file: name another path".to_owned())
    }

    pub(super) fn wrong_with_directory(_: &Metadata, metadata: &Metadata, _: &Path) -> Option<String> {
        (!metadata.is_dir()).then(|| "isn't a directory".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_names_that_are_made_here_are_known() {
        for (name, expected) in [
            ("token.0123456789abcdef.new", Some("token")),
            ("token.a.0123456789abcdef.new", Some("token.a")),
            (".0123456789abcdef.new", Some("")),
            ("token.new", None),
            ("token.0123456789abcdef", None),
            ("token.0123456789ABCDEF.new", None),
            ("token-0123456789abcdef.new", None),
            ("0123456789abcdef.new", None),
            (".new", None),
            ("", None),
        ] {
            assert_eq!(new_of(OsStr::new(name)), expected.map(str::as_bytes), "{name}");
        }
    }

    /// The directories of `/proc` can't be synced.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_system_that_syncs_no_directories_is_no_failure() {
        let directory = PathBuf::from("/proc/self/fdinfo");
        let error = File::open(&directory).and_then(|directory| directory.sync_all()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(PrivateDirectory(directory).sync().is_ok());
        assert!(PrivateDirectory(PathBuf::from("/proc/self/nothing")).sync().is_err());
    }
}
