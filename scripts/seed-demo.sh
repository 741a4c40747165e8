#!/usr/bin/env bash
# Fills a database with sessions and requests that look like a month of work, to see how the commands feel on a big store:
#
#   scripts/seed-demo.sh [--sessions 100000] [--requests 1000000] DATABASE_URL
#
# The rows are made in the database itself. They agree with each other as a server's do: counters are the sums of rows, and
# so are the rollups. One connection in twenty is active and one is idle, and for every hundred one more client has called no
# tool yet. The database must have no sessions; it is made if absent. ARCHONCTL names the program (default: target/debug/archonctl).
set -euo pipefail

usage() { sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2; }
sessions=100000 requests=1000000 url=
while (($#)); do
  case $1 in
    --sessions) sessions=${2-}; shift 2 || usage ;;
    --requests) requests=${2-}; shift 2 || usage ;;
    -*) usage ;;
    *) [[ -z $url ]] || usage; url=$1; shift ;;
  esac
done
[[ $url && $sessions =~ ^[1-9][0-9]*$ && $requests =~ ^[0-9]+$ ]] || usage
program=${ARCHONCTL:-$(dirname "$0")/../target/debug/archonctl}
"$program" db migrate --database-url "$url" --json >/dev/null

case $url in
  postgres://* | postgresql://*)
    sql() { psql --quiet --no-psqlrc --tuples-only --no-align -v ON_ERROR_STOP=1 "$url"; }
    ago() { echo "date_trunc('milliseconds', $now - make_interval(secs => ($1)::double precision))"; }
    cut() { echo "date_trunc('$1', $2, 'UTC')"; }
    uuid='::uuid' now="(SELECT now FROM demo_now)" clock='clock_timestamp()' settle='ANALYZE;'
    begin='SET synchronous_commit = off; BEGIN;'
    ;;
  sqlite:*)
    path=${url#sqlite:} path=${path#//}
    sql() { sqlite3 -bail "$path"; }
    ago() { echo "strftime('%Y-%m-%d %H:%M:%f', $now, printf('%+.3f seconds', -($1)))"; }
    cut() {
      case $1 in
        minute) echo "substr($2, 1, 16) || ':00.000'" ;;
        hour) echo "substr($2, 1, 13) || ':00:00.000'" ;;
        day) echo "substr($2, 1, 10) || ' 00:00:00.000'" ;;
      esac
    }
    uuid='' now="(SELECT now FROM demo_now)" clock="strftime('%Y-%m-%d %H:%M:%f', 'now')" settle='PRAGMA optimize; ANALYZE;'
    begin='PRAGMA busy_timeout = 10000; PRAGMA synchronous = OFF; PRAGMA temp_store = MEMORY;
      PRAGMA cache_size = -600000; BEGIN IMMEDIATE;'
    ;;
  *) usage ;;
esac

[[ $(sql <<<'SELECT COUNT(*) FROM archon_mcp_protocol_sessions;') == 0 ]] ||
  { echo "$0: there are sessions in that database already" >&2; exit 1; }

# An id that differs from its neighbours' from the first digit on, as real ones do.
id() { # id NUMBER FACTOR: an odd factor gives each number its own first eight digits
  if [[ $uuid ]]; then echo "(lpad(to_hex(($1 * $2) & 4294967295), 8, '0') || '-0000-4000-8000-' || lpad(to_hex($1), 12, '0'))"
  else echo "(printf('%08x', ($1 * $2) & 4294967295) || '-0000-4000-8000-' || printf('%012x', $1))"; fi
}
pick() { # pick NUMBER WORD…: one of the words
  local number=$1 count=$(($# - 1)) n=0 text='CASE'
  shift
  for word in "$@"; do text+=" WHEN $number % $count = $n THEN '$word'"; n=$((n + 1)); done
  echo "$text END"
}
waiting=$((sessions / 100))
counting() { echo "WITH RECURSIVE n(i) AS (SELECT CAST($1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < $2)"; }
[[ $uuid ]] || counting() { echo "WITH RECURSIVE n(i) AS (SELECT $1 UNION ALL SELECT i + 1 FROM n WHERE i < $2)"; }
most=$((requests / sessions + 1))

sql >/dev/null <<SQL
$begin
CREATE TEMP TABLE demo_now AS SELECT $clock AS now;

-- Latencies from 0.3 ms to half a second, and the bucket of each.
CREATE TEMP TABLE demo_octaves AS $(counting 0 30) SELECT i AS octave, CAST(1 AS BIGINT) << CAST(i AS INTEGER) AS low FROM n;
CREATE TEMP TABLE demo_latencies AS
  $(counting 0 996), l AS (SELECT i, 300 + i * (i + 1) / 2 AS us FROM n),
  o AS (SELECT i, us, (SELECT MAX(octave) FROM demo_octaves WHERE low <= us) AS octave FROM l)
  SELECT i, us, octave * 4 + ((us >> CAST(octave - 2 AS INTEGER)) & 3) + 1 AS bucket FROM o;

-- The first twentieth is active (1), the second idle (2); the others began up to a month ago, the last one first.
CREATE TEMP TABLE demo_sessions AS
  $(counting 1 $((sessions + waiting)))
  SELECT i, $(id i 2654435761)$uuid AS session_id, $(id i 1779033703) AS protocol_session_id,
    $(pick i 'Claude Code' 'Cursor' 'VS Code' 'Codex' 'Gemini' 'Windsurf') AS client_type,
    $(pick i claude-code cursor-vscode 'Visual Studio Code' codex-mcp-client gemini-cli-mcp-client windsurf) AS client_name,
    $(pick i 2.0.31 1.7.44 1.106.0 0.46.0 0.9.0 1.12.21) AS client_version,
    CASE WHEN i % 7 < 5 THEN $(pick i alice bob carol dave erin) ELSE '' END AS principal,
    CASE WHEN i <= $sessions / 20 OR i > $sessions THEN 1 WHEN i <= $sessions / 10 THEN 2 ELSE 0 END AS live,
    $(id i 3266489917)$uuid AS next_id,
    CASE WHEN i > $sessions THEN 1 ELSE 0 END AS waiting,
    CASE WHEN i <= $sessions / 20 OR i > $sessions THEN i * 61 % 3000 + 60.0
         ELSE 3700 + i * 2592000.0 / $sessions END AS began,
    CASE WHEN i <= $sessions / 20 OR i > $sessions THEN i * 61 % 3000 + 60.0 - i % 60
         ELSE 60 + i * 37 % 3600 END AS lasted,
    $requests / $sessions + CASE WHEN i <= $requests % $sessions THEN 1 ELSE 0 END AS calls
  FROM n;

INSERT INTO archon_mcp_boots
  (boot_id, pid, version, started_at, heartbeat_at, cleanup_at, ended_at, end_cause, token_method, folded_seq,
   session_timeout_ms, protocol_timeout_ms)
  SELECT '00000000-0000-4000-8000-000000000001'$uuid, 1, '0.2.0', $(ago 2700000), now, now, now, 'clean', 'approx', $requests,
    3600000, 2592000000
  FROM demo_now;

INSERT INTO archon_mcp_protocol_sessions
  (protocol_session_id, session_id, principal, protocol_version, client_type, client_name, client_version, connected_at,
   last_activity, expires_at, boot, credited, status, disconnected_at, total_duration, disconnect_reason, ended_by, called)
  SELECT protocol_session_id, CASE WHEN live = 2 THEN next_id ELSE session_id END, principal, '2025-11-25', client_type, client_name, client_version, $(ago began),
    $(ago 'began - lasted'), $(ago 'began - lasted - 2592000'), (SELECT MAX(number) FROM archon_mcp_boots), 0,
    CASE WHEN live > 0 THEN 'active' WHEN i % 3 = 0 THEN 'expired' ELSE 'disconnected' END,
    CASE WHEN live = 0 THEN $(ago 'began - lasted') END, CASE WHEN live = 0 THEN CAST(lasted AS INTEGER) END,
    CASE WHEN live = 0 THEN CASE WHEN i % 3 = 0 THEN 'timeout' ELSE 'client_disconnect' END END,
    CASE WHEN live = 0 THEN CASE WHEN i % 3 = 0 THEN 'server' ELSE 'client' END END, waiting = 0 AND live < 2
  FROM demo_sessions ORDER BY began DESC;
INSERT INTO archon_mcp_sessions
  (session_id, protocol_session_id, client_type, client_name, client_version, principal, user_name, connected_at,
   last_activity, expires_at, boot, credited, status, disconnected_at, total_duration, disconnect_reason, ended_by)
  SELECT s.session_id, s.protocol_session_id, s.client_type, s.client_name, s.client_version, s.principal,
    NULLIF(s.principal, ''), p.connected_at, p.last_activity, $(ago 'began - lasted - 3600'), p.boot, 0,
    CASE WHEN live = 2 THEN 'expired' ELSE p.status END,
    CASE WHEN live = 2 THEN $(ago 'began - lasted - 3600') ELSE p.disconnected_at END,
    CASE WHEN live = 2 THEN CAST(lasted AS INTEGER) + 3600 ELSE p.total_duration END,
    CASE WHEN live = 2 THEN 'timeout' ELSE p.disconnect_reason END, CASE WHEN live = 2 THEN 'server' ELSE p.ended_by END
  FROM demo_sessions s JOIN archon_mcp_protocol_sessions p ON p.protocol_session_id = s.protocol_session_id
  WHERE s.waiting = 0 ORDER BY s.began DESC;
INSERT INTO archon_mcp_session_events (at, kind, session_id, reason, actor)
  SELECT disconnected_at, 'ended', session_id, disconnect_reason, ended_by
  FROM archon_mcp_sessions WHERE status <> 'active' ORDER BY disconnected_at;

-- Calls lie evenly within their session, and are numbered as they came.
INSERT INTO archon_mcp_requests
  (session_id, protocol_session_id, method, tool_name, prompt_tokens, completion_tokens, timestamp, duration_ms, duration_us,
   status, error_message, session_rule, boot, seq)
  SELECT c.session_id, c.protocol_session_id, 'tools/call', c.tool, 5 + c.h % 90, 20 + c.h % 700, $(ago c.ago), l.us / 1000,
    l.us, c.status, CASE c.status WHEN 'error' THEN 'the project is archived' WHEN 'timeout' THEN 'ran past the tool timeout' END,
    CASE WHEN c.k = 1 THEN 'new' ELSE 'bound' END, (SELECT MAX(number) FROM archon_mcp_boots), c.seq
  FROM (SELECT s.session_id, s.protocol_session_id, n.i AS k, (s.i * 31 + n.i * 7919) % 997 AS h,
          s.began - s.lasted * n.i / (s.calls + 1.0) AS ago,
          $(pick '(s.i * 13 + n.i * 5)' health_check find_projects manage_project session_info heartbeat) AS tool,
          CASE WHEN (s.i + n.i * 17) % 200 = 0 THEN 'timeout' WHEN (s.i + n.i * 17) % 50 = 1 THEN 'error' ELSE 'success' END AS status,
          ROW_NUMBER() OVER (ORDER BY s.began - s.lasted * n.i / (s.calls + 1.0) DESC, s.i) AS seq
        FROM demo_sessions s JOIN ($(counting 1 "$most") SELECT i FROM n) n ON n.i <= s.calls WHERE s.waiting = 0) c
  JOIN demo_latencies l ON l.i = c.h ORDER BY c.seq;

UPDATE archon_mcp_sessions AS t SET calls = r.calls, errors = r.errors, prompt_tokens = r.p, completion_tokens = r.c
  FROM (SELECT session_id, COUNT(*) AS calls, SUM(CASE WHEN status <> 'success' THEN 1 ELSE 0 END) AS errors,
          SUM(prompt_tokens) AS p, SUM(completion_tokens) AS c FROM archon_mcp_requests GROUP BY session_id) r
  WHERE t.session_id = r.session_id;
UPDATE archon_mcp_protocol_sessions AS t SET calls = s.calls, errors = s.errors, prompt_tokens = s.prompt_tokens,
    completion_tokens = s.completion_tokens
  FROM archon_mcp_sessions s WHERE s.protocol_session_id = t.protocol_session_id;
INSERT INTO archon_mcp_rollups
  (minute, method, tool_name, client_type, status, bucket, calls, duration_us, prompt_tokens, completion_tokens)
  SELECT $(cut minute r.timestamp), r.method, r.tool_name, s.client_type, r.status, l.bucket, COUNT(*), SUM(r.duration_us),
    SUM(r.prompt_tokens), SUM(r.completion_tokens)
  FROM archon_mcp_requests r JOIN archon_mcp_sessions s ON s.session_id = r.session_id
  JOIN demo_latencies l ON l.us = r.duration_us GROUP BY 1, 2, 3, 4, 5, 6;
INSERT INTO archon_mcp_rollups_daily
  (day, method, tool_name, client_type, status, bucket, calls, duration_us, prompt_tokens, completion_tokens)
  SELECT $(cut day minute), method, tool_name, client_type, status, bucket, SUM(calls), SUM(duration_us), SUM(prompt_tokens),
    SUM(completion_tokens) FROM archon_mcp_rollups GROUP BY 1, 2, 3, 4, 5, 6;
INSERT INTO archon_mcp_rollups_hourly (hour, status, bucket, calls, duration_us, prompt_tokens, completion_tokens)
  SELECT $(cut hour minute), status, bucket, SUM(calls), SUM(duration_us), SUM(prompt_tokens), SUM(completion_tokens)
  FROM archon_mcp_rollups GROUP BY 1, 2, 3;
COMMIT;
$settle
SQL
echo "$sessions connections, $waiting clients that have called no tool, $requests requests"
