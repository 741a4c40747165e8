-- A connection (protocol session) outlives its Archon session: each has a clock of its own. Time that was not idleness is a
-- row, and each session remembers up to which one it was credited.

-- A program that does not know of the two clocks would end connections with their Archon sessions.
UPDATE archonctl_meta SET value = '0.2.0' WHERE key = 'oldest_program';

-- Where a boot runs, and the rules it runs by, for readers.
ALTER TABLE archon_mcp_boots ADD COLUMN host TEXT;
ALTER TABLE archon_mcp_boots ADD COLUMN kernel_boot TEXT;
ALTER TABLE archon_mcp_boots ADD COLUMN pid_namespace TEXT;
-- When the process began, in the kernel's ticks: a pid may be given again.
ALTER TABLE archon_mcp_boots ADD COLUMN pid_started INTEGER;
ALTER TABLE archon_mcp_boots ADD COLUMN listen TEXT;
ALTER TABLE archon_mcp_boots ADD COLUMN session_timeout_ms INTEGER;
ALTER TABLE archon_mcp_boots ADD COLUMN protocol_timeout_ms INTEGER;
ALTER TABLE archon_mcp_boots ADD COLUMN max_age_ms INTEGER;

-- Time that does not count as idle: no server was alive, the clock was set, the machine slept, the database took nothing.
CREATE TABLE archon_mcp_outages (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    began_at TEXT NOT NULL,
    ended_at TEXT NOT NULL,
    -- By how much the ends of sessions move; less than nothing where a clock was set back.
    credit_ms INTEGER NOT NULL,
    -- 'no_server', 'clock', 'freeze', 'database'.
    cause TEXT NOT NULL,
    -- The boot that saw it.
    boot INTEGER NOT NULL
);
INSERT INTO archon_mcp_outages (began_at, ended_at, credit_ms, cause, boot)
SELECT strftime('%Y-%m-%d %H:%M:%f', started_at, '-' || (outage_ms / 1000.0) || ' seconds'), started_at, outage_ms, 'no_server', number
FROM archon_mcp_boots WHERE outage_ms > 0 ORDER BY number;

-- The connection that opened it.
ALTER TABLE archon_mcp_sessions ADD COLUMN protocol_session_id TEXT;
-- The last outage that expires_at was credited for; later ones are credited on top.
ALTER TABLE archon_mcp_sessions ADD COLUMN credited INTEGER;
ALTER TABLE archon_mcp_protocol_sessions ADD COLUMN credited INTEGER;
-- When a stream of it was last known to be open.
ALTER TABLE archon_mcp_protocol_sessions ADD COLUMN stream_at TEXT;
-- Tool calls of the connection, over all its Archon sessions.
ALTER TABLE archon_mcp_protocol_sessions ADD COLUMN calls INTEGER NOT NULL DEFAULT 0;
ALTER TABLE archon_mcp_protocol_sessions ADD COLUMN errors INTEGER NOT NULL DEFAULT 0;
ALTER TABLE archon_mcp_protocol_sessions ADD COLUMN prompt_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE archon_mcp_protocol_sessions ADD COLUMN completion_tokens INTEGER NOT NULL DEFAULT 0;

UPDATE archon_mcp_sessions SET
    protocol_session_id = (SELECT p.protocol_session_id FROM archon_mcp_protocol_sessions p
        WHERE p.session_id = archon_mcp_sessions.session_id ORDER BY p.connected_at, p.protocol_session_id LIMIT 1),
    credited = CASE WHEN boot IS NULL THEN NULL
        ELSE COALESCE((SELECT MAX(o.number) FROM archon_mcp_outages o WHERE o.boot <= archon_mcp_sessions.boot), 0) END;
CREATE INDEX archon_mcp_sessions_opener ON archon_mcp_sessions (protocol_session_id, connected_at);
-- A live connection has a month from its last use; a server that allows a greatest age goes on to apply it.
UPDATE archon_mcp_protocol_sessions SET
    credited = CASE WHEN boot IS NULL THEN NULL
        ELSE COALESCE((SELECT MAX(o.number) FROM archon_mcp_outages o WHERE o.boot <= archon_mcp_protocol_sessions.boot), 0) END,
    expires_at = CASE WHEN status = 'active'
        THEN MAX(expires_at, strftime('%Y-%m-%d %H:%M:%f', last_activity, '+30 days')) ELSE expires_at END,
    calls = COALESCE((SELECT SUM(s.calls) FROM archon_mcp_sessions s
        WHERE s.protocol_session_id = archon_mcp_protocol_sessions.protocol_session_id), 0),
    errors = COALESCE((SELECT SUM(s.errors) FROM archon_mcp_sessions s
        WHERE s.protocol_session_id = archon_mcp_protocol_sessions.protocol_session_id), 0),
    prompt_tokens = COALESCE((SELECT SUM(s.prompt_tokens) FROM archon_mcp_sessions s
        WHERE s.protocol_session_id = archon_mcp_protocol_sessions.protocol_session_id), 0),
    completion_tokens = COALESCE((SELECT SUM(s.completion_tokens) FROM archon_mcp_sessions s
        WHERE s.protocol_session_id = archon_mcp_protocol_sessions.protocol_session_id), 0);

-- Archon sessions that no connection opened stand for themselves in lists. What is always the same is in these indexes
-- because SQLite would look it up in the row.
CREATE INDEX archon_mcp_sessions_alone ON archon_mcp_sessions
    (status, last_activity, expires_at, credited, client_type, user_name, principal, protocol_session_id)
    WHERE protocol_session_id IS NULL;
DROP INDEX archon_mcp_sessions_expiry;
CREATE INDEX archon_mcp_sessions_expiry ON archon_mcp_sessions
    (status, expires_at, credited, last_activity, client_type, user_name, principal) WHERE status = 'active';
DROP INDEX archon_mcp_protocol_sessions_waiting;
-- Lists show connections, the most recently used first; live ones are counted, by client and user too, in it alone.
CREATE INDEX archon_mcp_protocol_sessions_recent ON archon_mcp_protocol_sessions
    (status, last_activity, expires_at, credited, stream_at, connected_at, client_type, principal);
DROP INDEX archon_mcp_protocol_sessions_expiry;
-- With the principal, so that the caps are counted in the index alone.
CREATE INDEX archon_mcp_protocol_sessions_expiry ON archon_mcp_protocol_sessions (expires_at, credited, principal) WHERE status = 'active';
-- Who gives way where there is no room: the longest idle.
CREATE INDEX archon_mcp_protocol_sessions_idle ON archon_mcp_protocol_sessions (principal, last_activity) WHERE status = 'active';

-- Whoever ends a session, by whatever statement: time (in our form), duration, reason and event are there. The reason
-- decides: an Archon session whose time is over ends alone, and its connections live on, each with an id reserved for its
-- next one. Any other end is a revocation, and ends them.
DROP TRIGGER archon_mcp_sessions_ended;
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
    -- A random UUID, version 4.
    UPDATE archon_mcp_protocol_sessions
    SET session_id = lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-'
            || substr('89AB', 1 + (random() & 3), 1) || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6))),
        called = 0
    WHERE session_id = NEW.session_id AND status = 'active'
        AND NEW.status = 'expired' AND NEW.disconnect_reason IS 'timeout';
    UPDATE archon_mcp_protocol_sessions
    SET status = NEW.status,
        disconnected_at = (SELECT s.disconnected_at FROM archon_mcp_sessions s WHERE s.session_id = NEW.session_id),
        disconnect_reason = (SELECT s.disconnect_reason FROM archon_mcp_sessions s WHERE s.session_id = NEW.session_id),
        ended_by = (SELECT s.ended_by FROM archon_mcp_sessions s WHERE s.session_id = NEW.session_id)
    WHERE session_id = NEW.session_id AND status = 'active'
        AND NOT (NEW.status = 'expired' AND NEW.disconnect_reason IS 'timeout');
END;

-- A connection that ends takes its Archon session along, unless another live one is bound to it.
DROP TRIGGER archon_mcp_protocol_sessions_ended;
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
    UPDATE archon_mcp_sessions
    SET status = NEW.status,
        disconnected_at = (SELECT p.disconnected_at FROM archon_mcp_protocol_sessions p
            WHERE p.protocol_session_id = NEW.protocol_session_id),
        disconnect_reason = (SELECT p.disconnect_reason FROM archon_mcp_protocol_sessions p
            WHERE p.protocol_session_id = NEW.protocol_session_id),
        ended_by = (SELECT p.ended_by FROM archon_mcp_protocol_sessions p WHERE p.protocol_session_id = NEW.protocol_session_id)
    WHERE session_id = NEW.session_id AND status = 'active' AND NOT EXISTS (
        SELECT 1 FROM archon_mcp_protocol_sessions o WHERE o.session_id = NEW.session_id AND o.status = 'active');
END;
