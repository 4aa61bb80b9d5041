//! Failures of a database, without the texts of the database: these may contain values, addresses and passwords.

use std::io;

use sqlx::Error;
use sqlx::error::DatabaseError;

pub(super) fn failed(error: Error) -> io::Error {
    let (kind, text) = match error {
        Error::Io(error) => (error.kind(), "the database can't be reached"),
        Error::Tls(_) => (
            io::ErrorKind::InvalidData,
            "no secure connection to the database could be made: check its certificate and the trusted authorities",
        ),
        Error::PoolTimedOut => (
            io::ErrorKind::TimedOut,
            "no connection to the database was free in time: check the database and the size of the pool",
        ),
        Error::PoolClosed => (io::ErrorKind::NotConnected, "the pool of connections to the database is closed"),
        Error::WorkerCrashed => (io::ErrorKind::NotConnected, "the connection to the database was lost"),
        Error::Configuration(_) => (io::ErrorKind::InvalidInput, "the pool's settings don't lead to a database"),
        Error::Database(error) => return refused(error.as_ref()),
        _ => (io::ErrorKind::Other, "the database could not be understood"),
    };
    io::Error::new(kind, text)
}

/// What the database itself said, by its code.
fn refused(error: &dyn DatabaseError) -> io::Error {
    let code = error.code().unwrap_or_default();
    // The primary code of SQLite is in the last byte of its number. Five characters are PostgreSQL's SQLSTATE.
    let (kind, text) = match code.parse().map(|code: u32| code & 0xff) {
        Ok(number) if code.len() < 5 => sqlite(number, error.message().starts_with("no such")),
        _ => postgres(&code),
    };
    if code.len() <= 5 && code.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()) {
        io::Error::new(kind, format!("{text} ({code})"))
    } else {
        io::Error::new(kind, text)
    }
}

const MISSING_TABLES: (io::ErrorKind, &str) =
    (io::ErrorKind::NotFound, "the database has not the tables of `SqlSessionStore`: call `migrate`");
const FULL: (io::ErrorKind, &str) = (io::ErrorKind::StorageFull, "the database has no room left");
const READ_ONLY: (io::ErrorKind, &str) = (io::ErrorKind::ReadOnlyFilesystem, "the database can't be written");
const BUSY: (io::ErrorKind, &str) = (io::ErrorKind::TimedOut, "the database was busy with other work for too long");
const OTHER: (io::ErrorKind, &str) = (io::ErrorKind::Other, "the database refused the statement");

/// Primary result codes, <https://sqlite.org/rescode.html>.
fn sqlite(code: u32, is_missing: bool) -> (io::ErrorKind, &'static str) {
    match code {
        1 if is_missing => MISSING_TABLES,
        5 | 6 => BUSY,
        3 | 23 => (io::ErrorKind::PermissionDenied, "this process may not use the database"),
        8 => READ_ONLY,
        13 => FULL,
        14 => (io::ErrorKind::NotFound, "the file of the database can't be opened"),
        11 | 26 => (io::ErrorKind::InvalidData, "the file of the database is damaged, or isn't a database"),
        _ => OTHER,
    }
}

/// SQLSTATE, <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn postgres(code: &str) -> (io::ErrorKind, &'static str) {
    match code {
        "42P01" | "42703" | "3F000" => MISSING_TABLES,
        "42501" => (io::ErrorKind::PermissionDenied, "the role may not use the tables of `SqlSessionStore`"),
        "53100" => FULL,
        "25006" => READ_ONLY,
        "40001" | "40P01" | "55P03" | "57014" => BUSY,
        "53300" => (io::ErrorKind::ConnectionRefused, "the database has no connection left"),
        _ if code.starts_with("28") => {
            (io::ErrorKind::PermissionDenied, "the database refused the role or the password")
        }
        _ if code.starts_with("08") || code.starts_with("57P") => {
            (io::ErrorKind::ConnectionAborted, "the database is starting or stopping")
        }
        _ => OTHER,
    }
}
