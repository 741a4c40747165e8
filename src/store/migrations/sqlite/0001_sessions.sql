-- Sessions, their requests, events, boots and sums. Times are UTC texts 'YYYY-MM-DD HH:MM:SS.SSS', ids are texts.
-- Triggers use only functions that the sqlite3 program of older distributions has too, because people type into it.

CREATE TABLE archonctl_meta (
    key TEXT PRIMARY KEY NOT NULL,
    value TEXT NOT NULL
) WITHOUT ROWID;
-- The oldest program that may use this schema.
INSERT INTO archonctl_meta (key, value) VALUES ('oldest_program', '0.1.0');

-- One run of `archonctl serve`.
CREATE TABLE archon_mcp_boots (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    boot_id TEXT NOT NULL UNIQUE,
    pid INTEGER,
    version TEXT NOT NULL,
    started_at TEXT NOT NULL,
    heartbeat_at TEXT NOT NULL,
    cleanup_at TEXT,
    ended_at TEXT,
    end_cause TEXT,
    -- Time before this boot in which no server was alive, credited to idle sessions.
    outage_ms INTEGER NOT NULL DEFAULT 0,
    token_method TEXT,
    -- Up to which of its request rows this boot's sums are written.
    folded_seq INTEGER NOT NULL DEFAULT 0
);

-- The analytics session: the guide's columns, then ours.
CREATE TABLE archon_mcp_sessions (
    session_id TEXT PRIMARY KEY NOT NULL,
    client_type TEXT,
    client_version TEXT,
    client_capabilities TEXT,
    connected_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),
    last_activity TEXT NOT NULL DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),
    disconnected_at TEXT,
    total_duration INTEGER,
    status TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'disconnected', 'expired')),
    disconnect_reason TEXT,
    user_id TEXT,
    user_email TEXT,
    user_name TEXT,
    metadata TEXT,
    principal TEXT NOT NULL DEFAULT '',
    client_name TEXT,
    expires_at TEXT,
    ended_by TEXT,
    -- The boot that last moved expires_at; outages before later boots are credited on top.
    boot INTEGER,
    calls INTEGER NOT NULL DEFAULT 0,
    errors INTEGER NOT NULL DEFAULT 0,
    prompt_tokens INTEGER NOT NULL DEFAULT 0,
    completion_tokens INTEGER NOT NULL DEFAULT 0,
    -- The other half of "active if and only if no end time" are the triggers below: the one that fills it in runs after
    -- this check.
    CHECK (status <> 'active' OR disconnected_at IS NULL)
) WITHOUT ROWID;
-- Who is there: expiry goes along it, and open sessions are counted, by client and user too, in it alone. `status` is in it
-- although it is always the same: SQLite without statistics prefers an index that begins with what is asked for.
CREATE INDEX archon_mcp_sessions_expiry ON archon_mcp_sessions
    (status, expires_at, boot, last_activity, client_type, user_name, principal) WHERE status = 'active';
-- Lists show one state after the other, the most recently used first.
CREATE INDEX archon_mcp_sessions_recent ON archon_mcp_sessions (status, last_activity);
-- Ends by time and reason: what is old enough to go, and what the metrics count.
CREATE INDEX archon_mcp_sessions_ended ON archon_mcp_sessions (disconnected_at, disconnect_reason) WHERE status <> 'active';

-- What `initialize` creates: the session behind Mcp-Session-Id.
CREATE TABLE archon_mcp_protocol_sessions (
    protocol_session_id TEXT PRIMARY KEY NOT NULL,
    -- The Archon session it is bound to, or the id reserved for it: that row is made at the first tool call.
    session_id TEXT NOT NULL,
    principal TEXT NOT NULL DEFAULT '',
    protocol_version TEXT NOT NULL,
    client_type TEXT,
    client_name TEXT,
    client_version TEXT,
    client_info TEXT,
    client_capabilities TEXT,
    connected_at TEXT NOT NULL,
    last_activity TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    disconnected_at TEXT,
    total_duration INTEGER,
    status TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'disconnected', 'expired')),
    disconnect_reason TEXT,
    ended_by TEXT,
    boot INTEGER,
    -- Whether it has called a tool; until then nothing but this row tells that its client is there.
    called BOOLEAN NOT NULL DEFAULT 0,
    CHECK (status <> 'active' OR disconnected_at IS NULL)
) WITHOUT ROWID;
-- `called` is in it although it is always the same: SQLite would look it up in the row.
CREATE INDEX archon_mcp_protocol_sessions_waiting ON archon_mcp_protocol_sessions
    (status, last_activity, expires_at, boot, session_id, client_type, principal, called) WHERE NOT called;
CREATE INDEX archon_mcp_protocol_sessions_ended ON archon_mcp_protocol_sessions (disconnected_at) WHERE status <> 'active';
CREATE INDEX archon_mcp_protocol_sessions_bound ON archon_mcp_protocol_sessions (session_id);
-- With the principal, so that the caps are counted in the index alone.
CREATE INDEX archon_mcp_protocol_sessions_expiry ON archon_mcp_protocol_sessions (expires_at, boot, principal) WHERE status = 'active';

-- One handled request: the guide's columns, then ours.
CREATE TABLE archon_mcp_requests (
    id INTEGER PRIMARY KEY,
    session_id TEXT REFERENCES archon_mcp_sessions (session_id),
    method TEXT,
    tool_name TEXT,
    prompt_tokens INTEGER,
    completion_tokens INTEGER,
    estimated_cost DECIMAL(10, 6),
    timestamp TEXT,
    duration_ms INTEGER,
    status TEXT CHECK (status IN ('success', 'error', 'timeout')),
    error_message TEXT,
    protocol_session_id TEXT,
    duration_us INTEGER,
    session_rule TEXT,
    -- The call began before its session ended and finished after it.
    late BOOLEAN NOT NULL DEFAULT 0,
    -- Which boot wrote it, as its how-manieth: the same row sent twice is stored once.
    boot INTEGER,
    seq INTEGER
);
CREATE UNIQUE INDEX archon_mcp_requests_once ON archon_mcp_requests (boot, seq);
-- Apart, because rows without a session may be many, and their index must find those of one protocol session.
CREATE INDEX archon_mcp_requests_session ON archon_mcp_requests (session_id) WHERE session_id IS NOT NULL;
CREATE INDEX archon_mcp_requests_unbound ON archon_mcp_requests (protocol_session_id) WHERE session_id IS NULL;

-- What was said in a call, masked, where the operator asked for it. Of a request row by boot and number.
CREATE TABLE archon_mcp_captures (
    boot INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    at TEXT NOT NULL,
    arguments TEXT NOT NULL,
    answer TEXT,
    PRIMARY KEY (boot, seq)
);
CREATE INDEX archon_mcp_captures_at ON archon_mcp_captures (at);

-- One change in a session's life.
CREATE TABLE archon_mcp_session_events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    kind TEXT NOT NULL,
    session_id TEXT,
    protocol_session_id TEXT,
    reason TEXT,
    actor TEXT,
    -- As in archon_mcp_requests; an event that a trigger writes has none, because its row comes just once.
    boot INTEGER,
    seq INTEGER
);
CREATE UNIQUE INDEX archon_mcp_session_events_once ON archon_mcp_session_events (boot, seq) WHERE seq IS NOT NULL;
CREATE INDEX archon_mcp_session_events_session ON archon_mcp_session_events (session_id);
CREATE INDEX archon_mcp_session_events_protocol ON archon_mcp_session_events (protocol_session_id);

-- Sums of request rows, by minute; `bucket` is the latency bucket (four a doubling, in microseconds).
CREATE TABLE archon_mcp_rollups (
    minute TEXT NOT NULL,
    method TEXT NOT NULL,
    tool_name TEXT NOT NULL,
    client_type TEXT NOT NULL,
    status TEXT NOT NULL,
    bucket INTEGER NOT NULL,
    calls INTEGER NOT NULL,
    duration_us INTEGER NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    PRIMARY KEY (minute, method, tool_name, client_type, status, bucket)
) WITHOUT ROWID;

-- The same by day: a month of minutes is too much to read while somebody waits.
CREATE TABLE archon_mcp_rollups_daily (
    day TEXT NOT NULL,
    method TEXT NOT NULL,
    tool_name TEXT NOT NULL,
    client_type TEXT NOT NULL,
    status TEXT NOT NULL,
    bucket INTEGER NOT NULL,
    calls INTEGER NOT NULL,
    duration_us INTEGER NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    PRIMARY KEY (day, method, tool_name, client_type, status, bucket)
) WITHOUT ROWID;

-- Tool calls by hour, all tools and clients together.
CREATE TABLE archon_mcp_rollups_hourly (
    hour TEXT NOT NULL,
    status TEXT NOT NULL,
    bucket INTEGER NOT NULL,
    calls INTEGER NOT NULL,
    duration_us INTEGER NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    PRIMARY KEY (hour, status, bucket)
) WITHOUT ROWID;

-- What the project tools keep.
CREATE TABLE archon_projects (
    id TEXT PRIMARY KEY NOT NULL,
    title TEXT NOT NULL,
    description TEXT NOT NULL DEFAULT '',
    docs TEXT NOT NULL DEFAULT '[]',
    features TEXT NOT NULL DEFAULT '[]',
    data TEXT NOT NULL DEFAULT '[]',
    github_repo TEXT,
    pinned BOOLEAN NOT NULL DEFAULT 0,
    archived BOOLEAN NOT NULL DEFAULT 0,
    archived_at TEXT,
    archived_by TEXT,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) WITHOUT ROWID;

CREATE TRIGGER archon_mcp_sessions_created AFTER INSERT ON archon_mcp_sessions
BEGIN
    INSERT INTO archon_mcp_session_events (at, kind, session_id)
    VALUES (NEW.connected_at, 'created', NEW.session_id);
END;

CREATE TRIGGER archon_mcp_sessions_one_way BEFORE UPDATE OF status, disconnected_at ON archon_mcp_sessions
WHEN OLD.status <> 'active' AND (NEW.status <> OLD.status OR NEW.disconnected_at IS NULL)
BEGIN
    SELECT RAISE(ABORT, 'an ended session stays ended');
END;

CREATE TRIGGER archon_mcp_sessions_ended_at BEFORE INSERT ON archon_mcp_sessions
WHEN NEW.status <> 'active' AND NEW.disconnected_at IS NULL
BEGIN
    SELECT RAISE(ABORT, 'an ended session has an end time');
END;

-- Whoever ends a session, by whatever statement: time (in our form), duration, reason and event are there, and the
-- protocol sessions bound to it end with it.
CREATE TRIGGER archon_mcp_sessions_ended AFTER UPDATE OF status ON archon_mcp_sessions
WHEN OLD.status = 'active' AND NEW.status <> 'active'
BEGIN
    UPDATE archon_mcp_sessions
    SET disconnected_at = COALESCE(strftime('%Y-%m-%d %H:%M:%f', disconnected_at), strftime('%Y-%m-%d %H:%M:%f', 'now')),
        disconnect_reason = COALESCE(disconnect_reason, 'operator'),
        ended_by = COALESCE(ended_by, 'sql')
    WHERE session_id = NEW.session_id;
    UPDATE archon_mcp_sessions
    SET total_duration = MAX(0, CAST(round((julianday(disconnected_at) - julianday(connected_at)) * 86400000) AS INTEGER) / 1000)
    WHERE session_id = NEW.session_id AND total_duration IS NULL;
    INSERT INTO archon_mcp_session_events (at, kind, session_id, reason, actor)
    SELECT disconnected_at, 'ended', session_id, disconnect_reason, ended_by
    FROM archon_mcp_sessions WHERE session_id = NEW.session_id;
    UPDATE archon_mcp_protocol_sessions
    SET status = NEW.status,
        disconnected_at = (SELECT s.disconnected_at FROM archon_mcp_sessions s WHERE s.session_id = NEW.session_id),
        disconnect_reason = (SELECT s.disconnect_reason FROM archon_mcp_sessions s WHERE s.session_id = NEW.session_id),
        ended_by = (SELECT s.ended_by FROM archon_mcp_sessions s WHERE s.session_id = NEW.session_id)
    WHERE session_id = NEW.session_id AND status = 'active';
END;

CREATE TRIGGER archon_mcp_protocol_sessions_created AFTER INSERT ON archon_mcp_protocol_sessions
BEGIN
    INSERT INTO archon_mcp_session_events (at, kind, session_id, protocol_session_id)
    VALUES (NEW.connected_at, 'initialised', NEW.session_id, NEW.protocol_session_id);
END;

CREATE TRIGGER archon_mcp_protocol_sessions_one_way BEFORE UPDATE OF status, disconnected_at ON archon_mcp_protocol_sessions
WHEN OLD.status <> 'active' AND (NEW.status <> OLD.status OR NEW.disconnected_at IS NULL)
BEGIN
    SELECT RAISE(ABORT, 'an ended session stays ended');
END;

CREATE TRIGGER archon_mcp_protocol_sessions_ended_at BEFORE INSERT ON archon_mcp_protocol_sessions
WHEN NEW.status <> 'active' AND NEW.disconnected_at IS NULL
BEGIN
    SELECT RAISE(ABORT, 'an ended session has an end time');
END;

CREATE TRIGGER archon_mcp_protocol_sessions_ended AFTER UPDATE OF status ON archon_mcp_protocol_sessions
WHEN OLD.status = 'active' AND NEW.status <> 'active'
BEGIN
    UPDATE archon_mcp_protocol_sessions
    SET disconnected_at = COALESCE(strftime('%Y-%m-%d %H:%M:%f', disconnected_at), strftime('%Y-%m-%d %H:%M:%f', 'now')),
        disconnect_reason = COALESCE(disconnect_reason, 'operator'),
        ended_by = COALESCE(ended_by, 'sql')
    WHERE protocol_session_id = NEW.protocol_session_id;
    UPDATE archon_mcp_protocol_sessions
    SET total_duration = MAX(0, CAST(round((julianday(disconnected_at) - julianday(connected_at)) * 86400000) AS INTEGER) / 1000)
    WHERE protocol_session_id = NEW.protocol_session_id AND total_duration IS NULL;
    INSERT INTO archon_mcp_session_events (at, kind, session_id, protocol_session_id, reason, actor)
    SELECT disconnected_at, 'ended', session_id, protocol_session_id, disconnect_reason, ended_by
    FROM archon_mcp_protocol_sessions WHERE protocol_session_id = NEW.protocol_session_id;
END;
