-- Sessions. A tombstone is a row of version 0. Times are milliseconds since 1970.
CREATE TABLE IF NOT EXISTS workos_auth_sessions (
    key          BLOB    NOT NULL PRIMARY KEY,
    version      INTEGER NOT NULL,
    sealed       TEXT    NOT NULL,
    user_hash    BLOB,
    session_hash BLOB,
    expires      INTEGER NOT NULL
) STRICT;

CREATE INDEX IF NOT EXISTS workos_auth_sessions_user ON workos_auth_sessions (user_hash);
CREATE INDEX IF NOT EXISTS workos_auth_sessions_session ON workos_auth_sessions (session_hash);
CREATE INDEX IF NOT EXISTS workos_auth_sessions_expiry ON workos_auth_sessions (expires);

-- Locks, each held by its owner until its lease expires.
CREATE TABLE IF NOT EXISTS workos_auth_locks (
    key     BLOB    NOT NULL PRIMARY KEY,
    owner   TEXT    NOT NULL,
    expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
