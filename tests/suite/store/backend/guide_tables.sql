-- The tables as the guide prints them. SQLite takes them, too.
CREATE TABLE archon_mcp_sessions (
    session_id UUID PRIMARY KEY,
    client_type TEXT,
    client_version TEXT,
    client_capabilities JSONB,
    connected_at TIMESTAMP,
    last_activity TIMESTAMP,
    disconnected_at TIMESTAMP,
    total_duration INTEGER,
    status TEXT CHECK (status IN ('active', 'disconnected', 'expired')),
    disconnect_reason TEXT,
    user_id UUID,
    user_email TEXT,
    user_name TEXT,
    metadata JSONB
);
CREATE TABLE archon_mcp_requests (
    id SERIAL PRIMARY KEY,
    session_id UUID REFERENCES archon_mcp_sessions(session_id),
    method TEXT,
    tool_name TEXT,
    prompt_tokens INTEGER,
    completion_tokens INTEGER,
    estimated_cost DECIMAL(10, 6),
    timestamp TIMESTAMP,
    duration_ms INTEGER,
    status TEXT CHECK (status IN ('success', 'error', 'timeout')),
    error_message TEXT
);
