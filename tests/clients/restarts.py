"""Busy clients of others while the server restarts: no client object is lost, but for those whose call a kill -9 cut off.

    restarts.py PROGRAM KEEP RESTARTS CLIENT…

PROGRAM is archonctl. KEEP says who keeps the port: keep-port, or socket (systemd-socket-activate). With RESTARTS a number the
server is killed (-9) and stopped (SIGTERM) in turn, that often; `replace:N` puts another program in its place N times (SIGUSR2).
A CLIENT is a command as one word; it prints `ready`, works until its standard input ends, and tells how it went (busy.py).
"""

import json
import os
import shlex
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time

PROGRAM, KEEP, RESTARTS, *CLIENTS = sys.argv[1:]
IS_REPLACING = RESTARTS.startswith("replace:")
COUNT = int(RESTARTS.removeprefix("replace:"))
# The next server of a socket that systemd-socket-activate made; the shell stands for systemd.
AGAIN_AND_AGAIN = 'while true; do (export LISTEN_PID=$BASHPID; exec "$0" "$@"); done'

folder = tempfile.mkdtemp(prefix="archonctl-restarts.")
database, program = f"{folder}/archon.db", f"{folder}/archonctl"
shutil.copy2(PROGRAM, program)
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    address = "127.0.0.1:%d" % free.getsockname()[1]


def command():
    serve = [program, "serve", "--database-url", f"sqlite://{database}"]
    if KEEP == "keep-port":
        return [*serve, "--keep-port", "--bind", address]
    return ["systemd-socket-activate", "--listen", address, "bash", "-c", AGAIN_AND_AGAIN, *serve]


def server():
    """The process that serves now, and its number."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as read:
        return read.execute("SELECT pid, number FROM archon_mcp_boots ORDER BY number DESC LIMIT 1").fetchone()


def calls():
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as read:
        return read.execute("SELECT COUNT(*) FROM archon_mcp_requests WHERE tool_name IS NOT NULL").fetchone()[0]


def wait_for(what, condition, seconds=60):
    end = time.time() + seconds
    while time.time() < end:
        try:
            if found := condition():
                return found
        except (OSError, sqlite3.Error):
            pass
        time.sleep(0.01)
    raise SystemExit(f"FAILED  {KEEP}: no {what}; the server's log ends:\n" + open(f"{folder}/log").read()[-4000:])


def restart(n):
    """Ends the server and waits for the next; when it was killed, if it was."""
    pid, number = server()
    killed = None
    if IS_REPLACING:
        shutil.copy2(PROGRAM, f"{program}.new")
        os.rename(f"{program}.new", program)
        os.kill(keeper.pid, signal.SIGUSR2)
    elif n % 2 == 0:
        killed = time.time()
        os.kill(pid, signal.SIGKILL)
    else:
        os.kill(pid, signal.SIGTERM)
    wait_for("next server", lambda: server()[1] > number)
    return killed


def judge(name, outcome, kills):
    """Whether a client object went on; what failed may have failed because it was cut off."""

    def is_cut_off(failure):
        began, ended, _ = failure
        return any(began <= kill + 0.1 and kill <= ended for kill in kills)

    failed = outcome["failed"]
    # Of one that is lost everything fails from then on: its first failure says why.
    if outcome["last"] and not (failed and is_cut_off(failed[0])):
        print(f"FAILED  {name}: lost: {outcome['last']}; {failed[:2]}")
        return False
    unexplained = [failure for failure in failed if not is_cut_off(failure)]
    if unexplained and not outcome["last"]:
        print(f"FAILED  {name}: {unexplained[0]}")
        return False
    return True


with open(f"{folder}/log", "wb") as log:
    environment = {"PATH": os.environ["PATH"], "HOME": folder}
    keeper = subprocess.Popen(command(), env=environment, stdout=log, stderr=log, start_new_session=True)
busy = []
try:
    host, port = address.split(":")
    wait_for("port", lambda: socket.create_connection((host, int(port)), 5).close() or True)
    wait_for("server", server)
    url = f"http://{address}/mcp"
    for line in CLIENTS:
        words = [url if word == "URL" else word for word in shlex.split(line)]
        busy.append(subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
    for process in busy:
        if process.stdout.readline() != "ready\n":
            raise SystemExit(f"FAILED  {process.args}: it did not open its clients")
    kills = []
    for n in range(COUNT):
        kills.append(restart(n))
        # The clients have gone on before the next one.
        answered = calls()
        wait_for("calls after a restart", lambda: calls() >= answered + 5 * len(CLIENTS))
    failed = False
    for process in busy:
        process.stdin.close()
        outcomes = [json.loads(line) for line in process.stdout]
        name = f"{KEEP} {RESTARTS}: {' '.join(process.args[1:3])}"
        well = [judge(name, outcome, [kill for kill in kills if kill]) for outcome in outcomes]
        failed |= not all(well) or not well or process.wait(60) != 0
        calls = sum(outcome["calls"] for outcome in outcomes)
        cut = sum(len(outcome["failed"]) for outcome in outcomes)
        print(f"{'ok     ' if all(well) else 'FAILED '} {name}: {len(well)} clients, {calls} calls, {cut} cut off")
    sys.exit(1 if failed else 0)
finally:
    for process in busy:
        process.kill()
    # The shell first: it would start another server.
    os.killpg(keeper.pid, signal.SIGKILL)
    keeper.wait()
    shutil.rmtree(folder, ignore_errors=True)
