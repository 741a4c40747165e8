-- A run of a server has a line of succession: who came before it there, and how that one ended.

-- Which line: the name that the server was given, or its host and address. How many runs there were in it, with this one.
ALTER TABLE archon_mcp_boots ADD COLUMN line TEXT;
ALTER TABLE archon_mcp_boots ADD COLUMN start_number BIGINT;
UPDATE archon_mcp_boots SET line = counted.line, start_number = counted.start_number
FROM (SELECT number, concat_ws(' ', host, listen) AS line,
    ROW_NUMBER() OVER (PARTITION BY concat_ws(' ', host, listen) ORDER BY number) AS start_number FROM archon_mcp_boots) AS counted
WHERE counted.number = archon_mcp_boots.number;
CREATE INDEX archon_mcp_boots_line ON archon_mcp_boots (line, number);

-- How sure the cause of its end is ('certain', 'likely', 'possible'), and what shows it.
ALTER TABLE archon_mcp_boots ADD COLUMN end_confidence TEXT;
ALTER TABLE archon_mcp_boots ADD COLUMN end_evidence TEXT;

-- Memory at its last heartbeat: its own, what its control group allows and uses, what the machine has left.
ALTER TABLE archon_mcp_boots ADD COLUMN memory_bytes BIGINT;
ALTER TABLE archon_mcp_boots ADD COLUMN memory_limit_bytes BIGINT;
ALTER TABLE archon_mcp_boots ADD COLUMN memory_used_bytes BIGINT;
ALTER TABLE archon_mcp_boots ADD COLUMN memory_available_bytes BIGINT;
ALTER TABLE archon_mcp_boots ADD COLUMN memory_is_short BOOLEAN;
-- How many processes the kernel had killed for want of memory by then: in its control group, and on the machine.
ALTER TABLE archon_mcp_boots ADD COLUMN control_group TEXT;
ALTER TABLE archon_mcp_boots ADD COLUMN group_kills BIGINT;
ALTER TABLE archon_mcp_boots ADD COLUMN machine_kills BIGINT;
