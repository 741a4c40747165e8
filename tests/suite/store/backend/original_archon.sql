-- The tables of an original Archon, as its own migrations build them.
CREATE TABLE archon_mcp_sessions (
    session_id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    client_type VARCHAR(50) NOT NULL DEFAULT 'Unknown',
    client_version VARCHAR(50),
    client_capabilities JSONB,
    connected_at TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    disconnected_at TIMESTAMPTZ,
    last_activity TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    status VARCHAR(20) NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'idle', 'disconnected')),
    metadata JSONB DEFAULT '{}',
    total_duration INTEGER,
    disconnect_reason VARCHAR(100),
    user_id UUID,
    user_email VARCHAR(255),
    user_name VARCHAR(255),
    reconnect_token_hash VARCHAR(64),
    reconnect_expires_at TIMESTAMPTZ,
    reconnect_count INTEGER DEFAULT 0
);
CREATE INDEX idx_mcp_sessions_status ON archon_mcp_sessions (status);
CREATE INDEX idx_mcp_sessions_activity ON archon_mcp_sessions (status, last_activity DESC);
CREATE TABLE archon_mcp_requests (
    request_id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    session_id UUID NOT NULL REFERENCES archon_mcp_sessions (session_id) ON DELETE CASCADE,
    method VARCHAR(100) NOT NULL,
    tool_name VARCHAR(100),
    prompt_tokens INTEGER DEFAULT 0,
    completion_tokens INTEGER DEFAULT 0,
    total_tokens INTEGER GENERATED ALWAYS AS (prompt_tokens + completion_tokens) STORED,
    estimated_cost DECIMAL(10, 6) DEFAULT 0,
    timestamp TIMESTAMPTZ NOT NULL DEFAULT NOW(),
    duration_ms INTEGER,
    status VARCHAR(20) NOT NULL DEFAULT 'success' CHECK (status IN ('success', 'error', 'timeout')),
    error_message TEXT
);
CREATE INDEX idx_mcp_requests_session ON archon_mcp_requests (session_id, timestamp DESC);
CREATE TABLE archon_projects (
    id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    title TEXT NOT NULL,
    docs JSONB DEFAULT '[]'
);
INSERT INTO archon_mcp_sessions (session_id, client_type, status)
VALUES ('550e8400-e29b-41d4-a716-446655440000', 'Claude Code', 'idle');
INSERT INTO archon_mcp_requests (session_id, method, tool_name)
VALUES ('550e8400-e29b-41d4-a716-446655440000', 'tools/call', 'health_check');
