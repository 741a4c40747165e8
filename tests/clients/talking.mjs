// The TypeScript SDK's client and a call that says something before its answer, and asks.
//
//   talking.mjs NODE_MODULES URL        or   talking.mjs NODE_MODULES COMMAND ARGUMENT…
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import path from "node:path";

const [modules, target, ...rest] = process.argv.slice(2);
const require = createRequire(path.resolve(modules, "x.js"));
const load = (name) => import(pathToFileURL(require.resolve(`@modelcontextprotocol/sdk/${name}`)).href);
const { Client } = await load("client/index.js");
const { StreamableHTTPClientTransport } = await load("client/streamableHttp.js");
const { StdioClientTransport } = await load("client/stdio.js");
const types = await load("types.js");

const client = new Client({ name: "talking", version: "1" }, { capabilities: { elicitation: {}, sampling: {} } });
const logged = [];
client.setNotificationHandler(types.LoggingMessageNotificationSchema, ({ params }) => logged.push(params.level));
client.setRequestHandler(types.ElicitRequestSchema, () => ({ action: "accept", content: { name: "Ada" } }));
client.setRequestHandler(types.CreateMessageRequestSchema, ({ params }) => ({
  model: "none",
  role: "assistant",
  content: { type: "text", text: `heard: ${params.messages[0].content.text}` },
}));
const transport = target.startsWith("http")
  ? new StreamableHTTPClientTransport(new URL(target))
  : new StdioClientTransport({ command: target, args: rest, stderr: "ignore" });
await client.connect(transport);

const call = (name, args, options) => client.callTool({ name, arguments: args }, undefined, options);
const steps = [];
const done = await call("test_progress", { steps: 3, pause_ms: 20 }, { onprogress: ({ progress }) => steps.push(progress) });
assert.deepEqual(done.structuredContent, { steps: 3 });
assert.deepEqual(steps, [1, 2, 3]);
await client.setLoggingLevel("error");
await call("test_log", {});
assert.deepEqual(logged, ["error", "critical", "alert", "emergency"]);
const told = await call("test_ask", { what: "elicitation" });
assert.deepEqual(told.structuredContent.answer, { action: "accept", content: { name: "Ada" } });
const sampled = await call("test_ask", { what: "sampling", message: "hello" });
assert.equal(sampled.structuredContent.answer.content.text, "heard: hello");
const contents = await call("test_contents", {});
assert.deepEqual(contents.content.map((part) => part.type), ["text", "image", "audio", "resource_link", "resource"]);
const { completion } = await client.complete({
  ref: { type: "ref/prompt", name: "test_greeting" },
  argument: { name: "name", value: "a" },
});
assert.deepEqual(completion.values, ["Ada", "Alan"]);
await client.close();
console.log(`ok      the TypeScript SDK and a call that talks, by ${target.startsWith("http") ? "HTTP" : "pipes"}`);
