#!/usr/bin/env python3
"""One client tries to keep another out, by each means that it has: crowd.py PROGRAM SECONDS (see scripts/crowd.sh).

First as a principal among others, then as an address where no tokens are asked for. The other client calls a tool all the
time, and opens a session a second. Exits 1 when that is refused or slow, or when memory or log grow beyond measure.
"""
import hashlib, http.client, json, os, resource, signal, socket, subprocess, sys, tempfile, threading, time

TIMES = 3  # how many times slower the other client may become …
FLOOR = 0.020  # … in seconds, from which on that is to be felt: below it the attackers' share of the processors is measured
MEMORY = 300 << 20
LOG = 1_000_000
HOST = "127.0.0.1"
INITIALIZE = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
    "protocolVersion": "2025-11-25", "capabilities": {"x": "y" * 3500}, "clientInfo": {"name": "crowd", "version": "1"}}})
CALL = json.dumps({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "heartbeat", "arguments": {}}})


class Client:
    """One connection, opened again whenever it is closed."""

    def __init__(self, port, token=None, source=None):
        self.headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        if token:
            self.headers["Authorization"] = f"Bearer {token}"
        self.connection = http.client.HTTPConnection(HOST, port, timeout=30, source_address=source and (source, 0))

    def send(self, method, body=None, session=None):
        headers = {**self.headers, "Mcp-Session-Id": session} if session else self.headers
        for last in (False, True):
            try:
                self.connection.request(method, "/mcp", body, headers)
                answer = self.connection.getresponse()
                answer.read()
                return answer.status, answer.getheader("mcp-session-id")
            except (OSError, http.client.HTTPException):
                # A connection that was kept may have given way.
                self.connection.close()
                if last:
                    raise

    def open(self):
        return self.send("POST", INITIALIZE)


def request(token, length):
    head = f"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n"
    return (head + (f"Authorization: Bearer {token}\r\n" if token else "")).encode()


def flood(port, token, act):
    """`act` again and again on 16 connections at once."""
    def run():
        client = Client(port, token)
        while True:
            try:
                act(client)
            except (OSError, http.client.HTTPException):
                client.connection.close()
    threads = [threading.Thread(target=run, daemon=True) for _ in range(16)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]


def hold(port, count, first, then=b""):
    """So many connections at once that have said that much, and are opened again when they are closed."""
    held = []
    while True:
        try:
            one = socket.create_connection((HOST, port), timeout=5)
            one.sendall(first)
            one.settimeout(1)
            one.sendall(then)
            held.append(one)
        except OSError:
            pass
        if len(held) > count:
            held.pop(0).close()


def open_and_close(client):
    status, session = client.open()
    if status == 200:
        client.send("DELETE", session=session)


def calls(port, token):
    _, session = Client(port, token).open()
    flood(port, token, lambda client: client.send("POST", CALL, session))


MEANS = {
    "sessions": lambda port, token: flood(port, token, Client.open),
    "open and close": lambda port, token: flood(port, token, open_and_close),
    "calls": calls,
    "half requests": lambda port, token: hold(port, 12_000, request(token, 9)),
    "idle connections": lambda port, token: hold(port, 12_000, b""),
    "bodies": lambda port, token: hold(port, 400, request(token, 4 << 20) + b"\r\n", b" " * ((4 << 20) - 9)),
}


def attack(means, port, token):
    # What the attackers take of the processors is not what they take of the server: they would be other machines.
    os.nice(19)
    MEANS[means](port, token or None)


class Server:
    def __init__(self, program, tokens):
        self.home = tempfile.TemporaryDirectory(prefix="crowd-")
        folder, options = self.home.name, []
        if tokens:
            lines = [f"{hashlib.sha256(token.encode()).hexdigest()} {token}\n" for token in tokens]
            open(folder + "/tokens", "w").writelines(lines)
            options = ["--token-file", folder + "/tokens"]
        self.log = folder + "/log"
        command = [program, "serve", "--bind", HOST + ":0", "--database-url", f"sqlite://{folder}/archon.db", *options]
        environment = {"PATH": os.environ["PATH"], "HOME": folder}
        self.process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stderr=open(self.log, "wb"))
        while "listening on " not in open(self.log).read():
            assert self.process.poll() is None, open(self.log).read()
            time.sleep(0.02)
        self.port = int(open(self.log).read().split("listening on http://")[1].split("/")[0].rsplit(":")[-1])

    def memory(self):
        lines = open(f"/proc/{self.process.pid}/status").read().splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmRSS"))

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        self.home.cleanup()


def watch(server, token, source, seconds):
    """The other client's time that one in a hundred calls takes longer than, its failures, and the most memory."""
    client, took, failed, memory = Client(server.port, token, source), [], [], 0
    status, session = client.open()
    if status != 200:
        failed.append(f"initialize {status}")
    ends, next_open = time.monotonic() + seconds, 0
    while time.monotonic() < ends:
        began = time.monotonic()
        try:
            if began >= next_open:
                next_open, fresh = began + 1, Client(server.port, token, source)
                status, opened = fresh.open()
                fresh.send("DELETE", session=opened)
                fresh.connection.close()
                memory = max(memory, server.memory())
            else:
                status, _ = client.send("POST", CALL, session)
            if status != 200:
                failed.append(str(status))
        except (OSError, http.client.HTTPException) as error:
            failed.append(type(error).__name__)
        took.append(time.monotonic() - began)
        time.sleep(0.01)
    return sorted(took)[len(took) * 99 // 100], failed, memory


def crowd(program, seconds, kind, tokens, source):
    server, bad = Server(program, tokens), 0
    attacker, other = tokens or ("", None)
    try:
        watch(server, other, source, min(3, seconds))
        quiet, _, before = watch(server, other, source, seconds)
        print(f"{kind}: {quiet * 1000:.1f} ms while nobody attacks, {before >> 20} MiB", flush=True)
        for means in MEANS:
            arguments = [sys.executable, __file__, "attack", means, str(server.port), attacker]
            attackers = subprocess.Popen(arguments, stderr=subprocess.DEVNULL)
            try:
                p99, failed, memory = watch(server, other, source, seconds)
            finally:
                attackers.kill()
                attackers.wait()
            grown, log = memory - before, os.path.getsize(server.log)
            wrong = [what for what, is_wrong in {
                f"{len(failed)} failures: {', '.join(sorted(set(failed)))}": failed,
                "too slow": p99 > TIMES * max(quiet, FLOOR),
                "too much memory": grown > MEMORY,
                "too long a log": log > LOG,
            }.items() if is_wrong]
            bad += bool(wrong)
            print(f"  {means:17} {p99 * 1000:7.1f} ms  {grown >> 20:+5} MiB  log {log / 1000:5.1f} kB  "
                  + ("; ".join(wrong).upper() or "right"), flush=True)
    finally:
        server.stop()
    return bad


if __name__ == "__main__":
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if sys.argv[1] == "attack":
        attack(sys.argv[2], int(sys.argv[3]), sys.argv[4])
    # Two kinds, each quiet and by each means.
    each = float(sys.argv[2]) / (2 * (len(MEANS) + 1))
    bad = crowd(sys.argv[1], each, "one principal", ("alice", "bob"), None)
    bad += crowd(sys.argv[1], each, "one address", None, "127.0.0.2")
    sys.exit(bad > 0)
