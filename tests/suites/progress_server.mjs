// A server of the TypeScript SDK whose tool `steps` says three steps and its result at once.
//
//     node progress_server.mjs stdio | http [MILLISECONDS]
//
// So long it waits before each step but the first, and before the result: not at all by default.
// `http` prints its port as the first line. It lies where no packages are: PACKAGES names them.
import { createServer } from 'node:http';
import { createRequire } from 'node:module';

const require = createRequire(process.env.PACKAGES);
const { McpServer } = require('@modelcontextprotocol/sdk/server/mcp.js');
const { StdioServerTransport } = require('@modelcontextprotocol/sdk/server/stdio.js');
const { StreamableHTTPServerTransport } = require('@modelcontextprotocol/sdk/server/streamableHttp.js');

const apart = Number(process.argv[3] ?? 0);

async function wait() {
  const until = performance.now() + apart;
  while (performance.now() < until) await new Promise(setImmediate);
}

function makeServer() {
  const server = new McpServer({ name: 'steps', version: '1' });
  server.registerTool('steps', {}, async ({ _meta, sendNotification }) => {
    if (_meta?.progressToken !== undefined) {
      for (const progress of [1, 2, 3]) {
        const params = { progressToken: _meta.progressToken, progress, total: 3 };
        await sendNotification({ method: 'notifications/progress', params });
        await wait();
      }
    }
    return { content: [{ type: 'text', text: 'done' }] };
  });
  return server;
}

if (process.argv[2] === 'stdio') {
  await makeServer().connect(new StdioServerTransport());
} else {
  const listener = createServer(async (request, response) => {
    // Without sessions: a server for each request, as the SDK wants it then.
    const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined });
    await makeServer().connect(transport);
    await transport.handleRequest(request, response);
  });
  listener.listen(0, '127.0.0.1', () => console.log(listener.address().port));
}
