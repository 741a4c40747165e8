// The official TypeScript client, idle for longer than the session timeout: one client object, never reconnected.
//
//     idle.mjs NODE_MODULES URL SECONDS
import { setTimeout } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { resolve } from "node:path";

const [modules, url, seconds] = process.argv.slice(2);
const sdk = (file) => import(pathToFileURL(resolve(modules, "@modelcontextprotocol/sdk/dist/esm/client", file)));
const { Client } = await sdk("index.js");
const { StreamableHTTPClientTransport } = await sdk("streamableHttp.js");

const client = new Client({ name: "idle", version: "1" });
await client.connect(new StreamableHTTPClientTransport(new URL(url)));
for (const turn of ["before", "after"]) {
  const result = await client.callTool({ name: "health_check", arguments: {} });
  if (result.isError) throw new Error(`${turn} the pause: ${JSON.stringify(result)}`);
  if (turn === "before") await setTimeout(seconds * 1000);
}
await client.close();
console.log("typescript: the same client goes on after the pause");
