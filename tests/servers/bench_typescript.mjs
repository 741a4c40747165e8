// One tool as a server made with the TypeScript SDK (the packages of its second version), for scripts/bench.sh: sessions
// in memory, wired to Node's own HTTP server, answers as plain JSON.
//
//   node bench_typescript.mjs NODE_MODULES PORT      0 takes a free port
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';

const [modules, port] = process.argv.slice(2);
const load = createRequire(`${resolve(modules)}/`);
const { McpServer } = load('@modelcontextprotocol/server');
const { NodeStreamableHTTPServerTransport } = load('@modelcontextprotocol/node');

const at = '2026-11-20T10:00:00.000Z';
const health = { status: 'healthy', database: true, database_ms: 0.275, last_health_check: at };
const text = JSON.stringify({ success: true, health, uptime_seconds: 1.22, timestamp: at });
const transports = new Map();

async function open() {
  const transport = new NodeStreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    enableJsonResponse: true,
    onsessioninitialized: (id) => transports.set(id, transport),
    onsessionclosed: (id) => transports.delete(id),
  });
  const server = new McpServer({ name: 'bench', version: '1' });
  server.registerTool('health_check', { description: 'whether the server is ready' }, () => ({
    content: [{ type: 'text', text }],
  }));
  await server.connect(transport);
  return transport;
}

const server = createServer(async (request, response) => {
  const id = request.headers['mcp-session-id'];
  const transport = id === undefined ? await open() : transports.get(id);
  if (transport) await transport.handleRequest(request, response);
  else response.writeHead(404).end();
});
server.listen(Number(port), '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${server.address().port}/mcp`));
