-- A connection (protocol session) outlives its Archon session: each has a clock of its own. Time that was not idleness is a
-- row, and each session remembers up to which one it was credited.

-- A program that does not know of the two clocks would end connections with their Archon sessions.
UPDATE archonctl_meta SET value = '0.2.0' WHERE key = 'oldest_program';

-- Where a boot runs, so that one on the same host can tell at once that it is dead; and the rules it runs by, for readers.
ALTER TABLE archon_mcp_boots
    ADD COLUMN host TEXT,
    ADD COLUMN kernel_boot TEXT,
    ADD COLUMN pid_namespace TEXT,
    -- When the process began, in the kernel's ticks: a pid may be given again.
    ADD COLUMN pid_started BIGINT,
    ADD COLUMN listen TEXT,
    ADD COLUMN session_timeout_ms BIGINT,
    ADD COLUMN protocol_timeout_ms BIGINT,
    ADD COLUMN max_age_ms BIGINT;

-- Time that does not count as idle: no server was alive, the clock was set, the machine slept, the database took nothing.
CREATE TABLE archon_mcp_outages (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    began_at TIMESTAMPTZ NOT NULL,
    ended_at TIMESTAMPTZ NOT NULL,
    -- By how much the ends of sessions move; less than nothing where a clock was set back.
    credit_ms BIGINT NOT NULL,
    -- 'no_server', 'clock', 'freeze', 'database'.
    cause TEXT NOT NULL,
    -- The boot that saw it.
    boot BIGINT NOT NULL
);
ALTER TABLE archon_mcp_outages ENABLE ROW LEVEL SECURITY;
INSERT INTO archon_mcp_outages (began_at, ended_at, credit_ms, cause, boot)
SELECT started_at - outage_ms * INTERVAL '1 millisecond', started_at, outage_ms, 'no_server', number
FROM archon_mcp_boots WHERE outage_ms > 0 ORDER BY number;

ALTER TABLE archon_mcp_sessions
    -- The connection that opened it.
    ADD COLUMN protocol_session_id TEXT COLLATE "C",
    -- The last outage that expires_at was credited for; later ones are credited on top.
    ADD COLUMN credited BIGINT;
ALTER TABLE archon_mcp_protocol_sessions
    ADD COLUMN credited BIGINT,
    -- When a stream of it was last known to be open.
    ADD COLUMN stream_at TIMESTAMPTZ,
    -- Tool calls of the connection, over all its Archon sessions.
    ADD COLUMN calls BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN errors BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN prompt_tokens BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN completion_tokens BIGINT NOT NULL DEFAULT 0;

UPDATE archon_mcp_sessions s SET
    protocol_session_id = (SELECT p.protocol_session_id FROM archon_mcp_protocol_sessions p WHERE p.session_id = s.session_id
        ORDER BY p.connected_at, p.protocol_session_id LIMIT 1),
    credited = CASE WHEN s.boot IS NULL THEN NULL
        ELSE COALESCE((SELECT MAX(o.number) FROM archon_mcp_outages o WHERE o.boot <= s.boot), 0) END;
-- A live connection has a month from its last use; a server that allows a greatest age goes on to apply it.
UPDATE archon_mcp_protocol_sessions p SET
    credited = CASE WHEN p.boot IS NULL THEN NULL
        ELSE COALESCE((SELECT MAX(o.number) FROM archon_mcp_outages o WHERE o.boot <= p.boot), 0) END,
    expires_at = CASE WHEN p.status = 'active' THEN GREATEST(p.expires_at, p.last_activity + INTERVAL '30 days') ELSE p.expires_at END;
UPDATE archon_mcp_protocol_sessions p SET
    calls = s.calls, errors = s.errors, prompt_tokens = s.prompt_tokens, completion_tokens = s.completion_tokens
FROM archon_mcp_sessions s WHERE s.protocol_session_id = p.protocol_session_id;

CREATE INDEX archon_mcp_sessions_opener ON archon_mcp_sessions (protocol_session_id, connected_at);
-- Archon sessions that no connection opened stand for themselves in lists.
CREATE INDEX archon_mcp_sessions_alone ON archon_mcp_sessions (status, last_activity) WHERE protocol_session_id IS NULL;
DROP INDEX archon_mcp_sessions_expiry;
CREATE INDEX archon_mcp_sessions_expiry ON archon_mcp_sessions (expires_at, credited)
    INCLUDE (last_activity, client_type, user_name, principal) WHERE status = 'active';
DROP INDEX archon_mcp_protocol_sessions_waiting;
-- Lists show connections, the most recently used first; live ones are counted, by client and user too, in it alone.
CREATE INDEX archon_mcp_protocol_sessions_recent ON archon_mcp_protocol_sessions (status, last_activity)
    INCLUDE (expires_at, credited, stream_at, connected_at, client_type, principal);
DROP INDEX archon_mcp_protocol_sessions_expiry;
-- With the principal, so that the caps are counted in the index alone.
CREATE INDEX archon_mcp_protocol_sessions_expiry ON archon_mcp_protocol_sessions (expires_at, credited, principal) WHERE status = 'active';
-- Who gives way where there is no room: the longest idle.
CREATE INDEX archon_mcp_protocol_sessions_idle ON archon_mcp_protocol_sessions (principal, last_activity) WHERE status = 'active';

-- One order of locks for all who write many sessions: this lock, Archon sessions by id, protocol sessions by id. Our own
-- statements share it and take rows in that order; a statement that was typed by hand takes rows as they lie, so it has the
-- lock for itself.
CREATE FUNCTION archon_mcp_in_order() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF COALESCE(current_setting('archonctl.in_order', TRUE), '') <> 'on' THEN
        PERFORM pg_advisory_xact_lock(27428844087501675);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER archon_mcp_sessions_in_order BEFORE UPDATE OR DELETE ON archon_mcp_sessions
FOR EACH STATEMENT EXECUTE FUNCTION archon_mcp_in_order();
CREATE TRIGGER archon_mcp_protocol_sessions_in_order BEFORE UPDATE OR DELETE ON archon_mcp_protocol_sessions
FOR EACH STATEMENT EXECUTE FUNCTION archon_mcp_in_order();

-- The reason decides. An Archon session whose time is over ends alone: its connections live on, each with an id reserved for
-- its next one. Any other end is a revocation, and ends them.
CREATE OR REPLACE FUNCTION archon_mcp_sessions_on_end() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO archon_mcp_session_events (at, kind, session_id, reason, actor)
    VALUES (NEW.disconnected_at, 'ended', NEW.session_id, NEW.disconnect_reason, NEW.ended_by);
    PERFORM 1 FROM archon_mcp_protocol_sessions WHERE session_id = NEW.session_id AND status = 'active'
    ORDER BY protocol_session_id FOR NO KEY UPDATE;
    IF NEW.status = 'expired' AND NEW.disconnect_reason = 'timeout' THEN
        UPDATE archon_mcp_protocol_sessions SET session_id = gen_random_uuid(), called = FALSE
        WHERE session_id = NEW.session_id AND status = 'active';
    ELSE
        UPDATE archon_mcp_protocol_sessions
        SET status = NEW.status, disconnected_at = NEW.disconnected_at,
            disconnect_reason = NEW.disconnect_reason, ended_by = NEW.ended_by
        WHERE session_id = NEW.session_id AND status = 'active';
    END IF;
    -- Wakes the servers; many in one transaction are one.
    PERFORM pg_notify('archonctl_ends', '');
    RETURN NULL;
END $$;

-- A connection that ends takes its Archon session along, unless another live one is bound to it.
CREATE OR REPLACE FUNCTION archon_mcp_protocol_sessions_on_end() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO archon_mcp_session_events (at, kind, session_id, protocol_session_id, reason, actor)
    VALUES (NEW.disconnected_at, 'ended', NEW.session_id, NEW.protocol_session_id, NEW.disconnect_reason, NEW.ended_by);
    UPDATE archon_mcp_sessions s
    SET status = NEW.status, disconnected_at = NEW.disconnected_at,
        disconnect_reason = NEW.disconnect_reason, ended_by = NEW.ended_by
    WHERE s.session_id = NEW.session_id AND s.status = 'active' AND NOT EXISTS (
        SELECT 1 FROM archon_mcp_protocol_sessions o WHERE o.session_id = NEW.session_id AND o.status = 'active');
    PERFORM pg_notify('archonctl_ends', '');
    RETURN NULL;
END $$;

-- A server from before the two clocks that is still running moves expires_at to an hour from now at each use.
CREATE FUNCTION archon_mcp_keep_expiry() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    NEW.expires_at := OLD.expires_at;
    RETURN NEW;
END $$;
CREATE TRIGGER archon_mcp_protocol_sessions_keep_expiry BEFORE UPDATE OF expires_at ON archon_mcp_protocol_sessions
FOR EACH ROW WHEN (NEW.expires_at < OLD.expires_at AND NEW.last_activity > OLD.last_activity AND NEW.credited IS NOT DISTINCT FROM OLD.credited)
EXECUTE FUNCTION archon_mcp_keep_expiry();
