-- Sessions. A tombstone is a row of version 0.
CREATE TABLE IF NOT EXISTS workos_auth_sessions (
    key          bytea       PRIMARY KEY,
    version      bigint      NOT NULL,
    sealed       text        NOT NULL,
    user_hash    bytea,
    session_hash bytea,
    expires      timestamptz NOT NULL,
    -- Indexed instead of `expires`, so that a refresh changes no index.
    expiry_day   date        NOT NULL GENERATED ALWAYS AS ((expires AT TIME ZONE 'UTC')::date) STORED
) WITH (fillfactor = 85);

CREATE INDEX IF NOT EXISTS workos_auth_sessions_user ON workos_auth_sessions (user_hash);
CREATE INDEX IF NOT EXISTS workos_auth_sessions_session ON workos_auth_sessions (session_hash);
CREATE INDEX IF NOT EXISTS workos_auth_sessions_expiry ON workos_auth_sessions (expiry_day);

-- Locks, each held by its owner until its lease expires.
CREATE TABLE IF NOT EXISTS workos_auth_locks (
    key     bytea       PRIMARY KEY,
    owner   text        NOT NULL,
    expires timestamptz NOT NULL
);
