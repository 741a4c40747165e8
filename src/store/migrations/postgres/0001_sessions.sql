-- Sessions, their requests, events, boots and sums.

CREATE TABLE archonctl_meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
);
-- The oldest program that may use this schema.
INSERT INTO archonctl_meta (key, value) VALUES ('oldest_program', '0.1.0');

-- One run of `archonctl serve`.
CREATE TABLE archon_mcp_boots (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    boot_id UUID NOT NULL UNIQUE,
    pid BIGINT,
    version TEXT NOT NULL,
    started_at TIMESTAMPTZ NOT NULL,
    heartbeat_at TIMESTAMPTZ NOT NULL,
    cleanup_at TIMESTAMPTZ,
    ended_at TIMESTAMPTZ,
    end_cause TEXT,
    -- Time before this boot in which no server was alive, credited to idle sessions.
    outage_ms BIGINT NOT NULL DEFAULT 0,
    token_method TEXT,
    -- Up to which of its request rows this boot's sums are written.
    folded_seq BIGINT NOT NULL DEFAULT 0
);

-- The analytics session: the guide's columns, then ours.
CREATE TABLE archon_mcp_sessions (
    session_id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    client_type TEXT,
    client_version TEXT,
    client_capabilities JSONB,
    connected_at TIMESTAMPTZ NOT NULL DEFAULT date_trunc('milliseconds', clock_timestamp()),
    last_activity TIMESTAMPTZ NOT NULL DEFAULT date_trunc('milliseconds', clock_timestamp()),
    disconnected_at TIMESTAMPTZ,
    total_duration INTEGER,
    status TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'disconnected', 'expired')),
    disconnect_reason TEXT,
    user_id UUID,
    user_email TEXT,
    user_name TEXT,
    metadata JSONB,
    principal TEXT NOT NULL DEFAULT '',
    client_name TEXT,
    expires_at TIMESTAMPTZ,
    ended_by TEXT,
    -- The boot that last moved expires_at; outages before later boots are credited on top.
    boot BIGINT,
    calls BIGINT NOT NULL DEFAULT 0,
    errors BIGINT NOT NULL DEFAULT 0,
    prompt_tokens BIGINT NOT NULL DEFAULT 0,
    completion_tokens BIGINT NOT NULL DEFAULT 0,
    CHECK ((status = 'active') = (disconnected_at IS NULL))
);
-- Who is there: expiry goes along it, and open sessions are counted, by client and user too, in it alone.
CREATE INDEX archon_mcp_sessions_expiry ON archon_mcp_sessions (expires_at, boot)
    INCLUDE (last_activity, client_type, user_name, principal) WHERE status = 'active';
-- Lists show one state after the other, the most recently used first.
CREATE INDEX archon_mcp_sessions_recent ON archon_mcp_sessions (status, last_activity);
-- Ends by time and reason: what is old enough to go, and what the metrics count.
CREATE INDEX archon_mcp_sessions_ended ON archon_mcp_sessions (disconnected_at, disconnect_reason) WHERE status <> 'active';

-- What `initialize` creates: the session behind Mcp-Session-Id. Its id compares byte for byte.
CREATE TABLE archon_mcp_protocol_sessions (
    protocol_session_id TEXT COLLATE "C" PRIMARY KEY,
    -- The Archon session it is bound to, or the id reserved for it: that row is made at the first tool call.
    session_id UUID NOT NULL,
    principal TEXT NOT NULL DEFAULT '',
    protocol_version TEXT NOT NULL,
    client_type TEXT,
    client_name TEXT,
    client_version TEXT,
    client_info JSONB,
    client_capabilities JSONB,
    connected_at TIMESTAMPTZ NOT NULL,
    last_activity TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    disconnected_at TIMESTAMPTZ,
    total_duration INTEGER,
    status TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'disconnected', 'expired')),
    disconnect_reason TEXT,
    ended_by TEXT,
    boot BIGINT,
    -- Whether it has called a tool; until then nothing but this row tells that its client is there.
    called BOOLEAN NOT NULL DEFAULT FALSE,
    CHECK ((status = 'active') = (disconnected_at IS NULL))
);
CREATE INDEX archon_mcp_protocol_sessions_waiting ON archon_mcp_protocol_sessions (status, last_activity)
    INCLUDE (expires_at, boot, session_id, client_type, principal) WHERE NOT called;
CREATE INDEX archon_mcp_protocol_sessions_ended ON archon_mcp_protocol_sessions (disconnected_at) WHERE status <> 'active';
CREATE INDEX archon_mcp_protocol_sessions_bound ON archon_mcp_protocol_sessions (session_id);
-- With the principal, so that the caps are counted in the index alone.
CREATE INDEX archon_mcp_protocol_sessions_expiry ON archon_mcp_protocol_sessions (expires_at, boot, principal) WHERE status = 'active';

-- One handled request: the guide's columns, then ours.
CREATE TABLE archon_mcp_requests (
    id BIGSERIAL PRIMARY KEY,
    session_id UUID REFERENCES archon_mcp_sessions (session_id),
    method TEXT,
    tool_name TEXT,
    prompt_tokens INTEGER,
    completion_tokens INTEGER,
    estimated_cost NUMERIC(10, 6),
    timestamp TIMESTAMPTZ,
    duration_ms INTEGER,
    status TEXT CHECK (status IN ('success', 'error', 'timeout')),
    error_message TEXT,
    protocol_session_id TEXT COLLATE "C",
    duration_us BIGINT,
    session_rule TEXT,
    -- The call began before its session ended and finished after it.
    late BOOLEAN NOT NULL DEFAULT FALSE,
    -- Which boot wrote it, as its how-manieth: the same row sent twice is stored once.
    boot BIGINT,
    seq BIGINT
);
CREATE UNIQUE INDEX archon_mcp_requests_once ON archon_mcp_requests (boot, seq);
-- Apart, because rows without a session may be many, and their index must find those of one protocol session.
CREATE INDEX archon_mcp_requests_session ON archon_mcp_requests (session_id) WHERE session_id IS NOT NULL;
CREATE INDEX archon_mcp_requests_unbound ON archon_mcp_requests (protocol_session_id) WHERE session_id IS NULL;

-- What was said in a call, masked, where the operator asked for it. Of a request row by boot and number.
CREATE TABLE archon_mcp_captures (
    boot BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    at TIMESTAMPTZ NOT NULL,
    arguments TEXT NOT NULL,
    answer TEXT,
    PRIMARY KEY (boot, seq)
);
CREATE INDEX archon_mcp_captures_at ON archon_mcp_captures (at);

-- One change in a session's life.
CREATE TABLE archon_mcp_session_events (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at TIMESTAMPTZ NOT NULL,
    kind TEXT NOT NULL,
    session_id UUID,
    protocol_session_id TEXT COLLATE "C",
    reason TEXT,
    actor TEXT,
    -- As in archon_mcp_requests; an event that a trigger writes has none, because its row comes just once.
    boot BIGINT,
    seq BIGINT
);
CREATE UNIQUE INDEX archon_mcp_session_events_once ON archon_mcp_session_events (boot, seq) WHERE seq IS NOT NULL;
CREATE INDEX archon_mcp_session_events_session ON archon_mcp_session_events (session_id);
CREATE INDEX archon_mcp_session_events_protocol ON archon_mcp_session_events (protocol_session_id);

-- Sums of request rows, by minute; `bucket` is the latency bucket (four a doubling, in microseconds).
CREATE TABLE archon_mcp_rollups (
    minute TIMESTAMPTZ NOT NULL,
    method TEXT NOT NULL,
    tool_name TEXT NOT NULL,
    client_type TEXT NOT NULL,
    status TEXT NOT NULL,
    bucket INTEGER NOT NULL,
    calls BIGINT NOT NULL,
    duration_us BIGINT NOT NULL,
    prompt_tokens BIGINT NOT NULL,
    completion_tokens BIGINT NOT NULL,
    PRIMARY KEY (minute, method, tool_name, client_type, status, bucket)
);

-- The same by day: a month of minutes is too much to read while somebody waits.
CREATE TABLE archon_mcp_rollups_daily (
    day TIMESTAMPTZ NOT NULL,
    method TEXT NOT NULL,
    tool_name TEXT NOT NULL,
    client_type TEXT NOT NULL,
    status TEXT NOT NULL,
    bucket INTEGER NOT NULL,
    calls BIGINT NOT NULL,
    duration_us BIGINT NOT NULL,
    prompt_tokens BIGINT NOT NULL,
    completion_tokens BIGINT NOT NULL,
    PRIMARY KEY (day, method, tool_name, client_type, status, bucket)
);

-- Tool calls by hour, all tools and clients together.
CREATE TABLE archon_mcp_rollups_hourly (
    hour TIMESTAMPTZ NOT NULL,
    status TEXT NOT NULL,
    bucket INTEGER NOT NULL,
    calls BIGINT NOT NULL,
    duration_us BIGINT NOT NULL,
    prompt_tokens BIGINT NOT NULL,
    completion_tokens BIGINT NOT NULL,
    PRIMARY KEY (hour, status, bucket)
);

-- What the project tools keep.
CREATE TABLE archon_projects (
    id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    title TEXT NOT NULL,
    description TEXT NOT NULL DEFAULT '',
    docs JSONB NOT NULL DEFAULT '[]',
    features JSONB NOT NULL DEFAULT '[]',
    data JSONB NOT NULL DEFAULT '[]',
    github_repo TEXT,
    pinned BOOLEAN NOT NULL DEFAULT FALSE,
    archived BOOLEAN NOT NULL DEFAULT FALSE,
    archived_at TIMESTAMPTZ,
    archived_by TEXT,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL
);

CREATE FUNCTION archon_mcp_sessions_on_insert() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO archon_mcp_session_events (at, kind, session_id)
    VALUES (NEW.connected_at, 'created', NEW.session_id);
    RETURN NULL;
END $$;
CREATE TRIGGER archon_mcp_sessions_created AFTER INSERT ON archon_mcp_sessions
FOR EACH ROW EXECUTE FUNCTION archon_mcp_sessions_on_insert();

CREATE FUNCTION archon_mcp_protocol_sessions_on_insert() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO archon_mcp_session_events (at, kind, session_id, protocol_session_id)
    VALUES (NEW.connected_at, 'initialised', NEW.session_id, NEW.protocol_session_id);
    RETURN NULL;
END $$;
CREATE TRIGGER archon_mcp_protocol_sessions_created AFTER INSERT ON archon_mcp_protocol_sessions
FOR EACH ROW EXECUTE FUNCTION archon_mcp_protocol_sessions_on_insert();

-- Whoever ends a session, by whatever statement: time, duration and reason are there. Serves both tables.
CREATE FUNCTION archon_mcp_fill_end() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF OLD.status <> 'active' THEN
        RAISE EXCEPTION 'an ended session stays ended' USING ERRCODE = 'check_violation';
    END IF;
    NEW.disconnected_at := date_trunc('milliseconds', COALESCE(NEW.disconnected_at, clock_timestamp()));
    NEW.total_duration := COALESCE(NEW.total_duration,
        GREATEST(0, FLOOR(EXTRACT(EPOCH FROM NEW.disconnected_at - NEW.connected_at)))::INTEGER);
    NEW.disconnect_reason := COALESCE(NEW.disconnect_reason, 'operator');
    NEW.ended_by := COALESCE(NEW.ended_by, 'sql');
    RETURN NEW;
END $$;
CREATE TRIGGER archon_mcp_sessions_fill_end BEFORE UPDATE OF status ON archon_mcp_sessions
FOR EACH ROW WHEN (OLD.status <> NEW.status) EXECUTE FUNCTION archon_mcp_fill_end();
CREATE TRIGGER archon_mcp_protocol_sessions_fill_end BEFORE UPDATE OF status ON archon_mcp_protocol_sessions
FOR EACH ROW WHEN (OLD.status <> NEW.status) EXECUTE FUNCTION archon_mcp_fill_end();

-- An end is an event, and the protocol sessions bound to an Archon session end with it.
CREATE FUNCTION archon_mcp_sessions_on_end() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO archon_mcp_session_events (at, kind, session_id, reason, actor)
    VALUES (NEW.disconnected_at, 'ended', NEW.session_id, NEW.disconnect_reason, NEW.ended_by);
    UPDATE archon_mcp_protocol_sessions
    SET status = NEW.status, disconnected_at = NEW.disconnected_at,
        disconnect_reason = NEW.disconnect_reason, ended_by = NEW.ended_by
    WHERE session_id = NEW.session_id AND status = 'active';
    -- Wakes the servers; many in one transaction are one.
    PERFORM pg_notify('archonctl_ends', '');
    RETURN NULL;
END $$;
CREATE TRIGGER archon_mcp_sessions_ended AFTER UPDATE OF status ON archon_mcp_sessions
FOR EACH ROW WHEN (OLD.status = 'active' AND NEW.status <> 'active') EXECUTE FUNCTION archon_mcp_sessions_on_end();

CREATE FUNCTION archon_mcp_protocol_sessions_on_end() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO archon_mcp_session_events (at, kind, session_id, protocol_session_id, reason, actor)
    VALUES (NEW.disconnected_at, 'ended', NEW.session_id, NEW.protocol_session_id, NEW.disconnect_reason, NEW.ended_by);
    PERFORM pg_notify('archonctl_ends', '');
    RETURN NULL;
END $$;
CREATE TRIGGER archon_mcp_protocol_sessions_ended AFTER UPDATE OF status ON archon_mcp_protocol_sessions
FOR EACH ROW WHEN (OLD.status = 'active' AND NEW.status <> 'active')
EXECUTE FUNCTION archon_mcp_protocol_sessions_on_end();

-- Supabase publishes every table of `public` unless row security is on; the owner, which we are, passes it.
ALTER TABLE archonctl_meta ENABLE ROW LEVEL SECURITY;
ALTER TABLE archon_mcp_boots ENABLE ROW LEVEL SECURITY;
ALTER TABLE archon_mcp_sessions ENABLE ROW LEVEL SECURITY;
ALTER TABLE archon_mcp_protocol_sessions ENABLE ROW LEVEL SECURITY;
ALTER TABLE archon_mcp_requests ENABLE ROW LEVEL SECURITY;
ALTER TABLE archon_mcp_captures ENABLE ROW LEVEL SECURITY;
ALTER TABLE archon_mcp_session_events ENABLE ROW LEVEL SECURITY;
ALTER TABLE archon_mcp_rollups ENABLE ROW LEVEL SECURITY;
ALTER TABLE archon_mcp_rollups_daily ENABLE ROW LEVEL SECURITY;
ALTER TABLE archon_mcp_rollups_hourly ENABLE ROW LEVEL SECURITY;
ALTER TABLE archon_projects ENABLE ROW LEVEL SECURITY;
