// Clients of the TypeScript SDK at work: each one object that is never reconnected. What is printed is that of busy.py.
//
//     busy.mjs NODE_MODULES sdk|client URL CLIENTS          version 1 (sdk) or 2 (client)
import { setTimeout } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { resolve } from "node:path";

const [modules, library, url, clients] = process.argv.slice(2);
const load = (file) => import(pathToFileURL(resolve(modules, "@modelcontextprotocol", file)));
const { Client, StreamableHTTPClientTransport } =
  library === "sdk"
    ? { ...(await load("sdk/dist/esm/client/index.js")), ...(await load("sdk/dist/esm/client/streamableHttp.js")) }
    : await load("client/dist/index.mjs");

let done = false;
const now = () => Date.now() / 1000;

async function attempt(client) {
  const began = now();
  try {
    const result = await client.callTool({ name: "health_check", arguments: {} });
    if (result.isError) throw new Error(JSON.stringify(result));
    return null;
  } catch (error) {
    return [began, now(), `${error.name}: ${error.message}`.slice(0, 200)];
  }
}

async function work(client) {
  const outcome = { calls: 0, failed: [], last: null };
  while (!done) {
    const failure = await attempt(client);
    outcome.calls += 1;
    if (failure) outcome.failed.push(failure);
    await setTimeout(20 + Math.random() * 180);
  }
  const failure = await attempt(client);
  outcome.last = failure && failure[2];
  console.log(JSON.stringify(outcome));
  await client.close();
}

const opened = await Promise.all(
  Array.from({ length: Number(clients) }, async () => {
    const client = new Client({ name: "busy", version: "1" });
    await client.connect(new StreamableHTTPClientTransport(new URL(url)));
    return client;
  }),
);
process.stdin.on("end", () => (done = true)).resume();
console.log("ready");
await Promise.all(opened.map(work));
process.exit(0);
