// A desktop host on a TypeScript SDK: its client starts entries of a config file.
//
//     node sdk_host.mjs sdk|client CONFIG
//
// `sdk` is @modelcontextprotocol/sdk, `client` is @modelcontextprotocol/client, which asks for the era first.
// It does the orders of sdk_host.py: one line of JSON on stdin, one on stdout. The child gets what the SDK
// hands on by itself, and the entry's "env". It lies where no packages are: PACKAGES names them.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const [which, config] = process.argv.slice(2);
const require = createRequire(process.env.PACKAGES);
const load = name => import(pathToFileURL(require.resolve(name)).href);

const places = {
  sdk: ['@modelcontextprotocol/sdk/client/index.js', '@modelcontextprotocol/sdk/client/stdio.js'],
  client: ['@modelcontextprotocol/client', '@modelcontextprotocol/client/stdio'],
};
const [{ Client }, { StdioClientTransport }] = await Promise.all(places[which].map(load));

const answers = {
  'sampling/createMessage': () => ({
    role: 'assistant',
    model: 'parrot',
    content: { type: 'text', text: '42' },
  }),
  'elicitation/create': () => ({ action: 'accept', content: { name: 'Ada' } }),
  'roots/list': () => ({ roots: [{ uri: 'file:///tmp/here', name: 'here' }] }),
};

/** The first SDK names a method by its schema, the second by its name. */
async function handle(client) {
  if (which === 'client') {
    for (const [method, answer] of Object.entries(answers)) client.setRequestHandler(method, answer);
    return;
  }
  const types = await load('@modelcontextprotocol/sdk/types.js');
  client.setRequestHandler(types.CreateMessageRequestSchema, answers['sampling/createMessage']);
  client.setRequestHandler(types.ElicitRequestSchema, answers['elicitation/create']);
  client.setRequestHandler(types.ListRootsRequestSchema, answers['roots/list']);
}

async function connect({ command, args, env }, patience) {
  const capabilities = { sampling: {}, elicitation: {}, roots: {} };
  const more = which === 'client' ? { versionNegotiation: { mode: 'auto' } } : {};
  const client = new Client({ name: 'sdk-host', version: '1' }, { capabilities, ...more });
  client.onerror = () => {}; // it says so of each step of progress that it drops
  await handle(client);
  const options = patience === undefined ? undefined : { timeout: patience * 1000 };
  await client.connect(new StdioClientTransport({ command, args, env, stderr: 'inherit' }), options);
  return client;
}

function textOf(result) {
  const said = result.content.map(one => one.text ?? '').join('');
  return result.isError ? { error: said } : { text: said };
}

/** The options of a request stand behind the schema of its result in the first SDK. */
function callTool(client, name, args, options) {
  const params = { name, arguments: args };
  return which === 'sdk' ? client.callTool(params, undefined, options) : client.callTool(params, options);
}

async function tell(client, args, wanted) {
  for (let turn = 0; turn < 200; turn++) {
    if (textOf(await callTool(client, 'was', args)).text === wanted) return wanted;
    await new Promise(resolve => setTimeout(resolve, 20));
  }
  return `never ${wanted}`;
}

const orders = {
  async list(client) {
    const names = [];
    let cursor;
    do {
      const page = await client.listTools(cursor ? { cursor } : undefined);
      names.push(...page.tools.map(tool => tool.name));
      cursor = page.nextCursor;
    } while (cursor);
    return { tools: names };
  },
  async call(client, order) {
    return textOf(await callTool(client, order.tool, order.arguments));
  },
  async progress(client, order) {
    const steps = [];
    const options = { onprogress: ({ progress }) => steps.push(progress) };
    const said = textOf(await callTool(client, order.tool, order.arguments, options));
    await new Promise(setImmediate); // what was read with the result is told behind it
    return { ...said, steps };
  },
  async cancel(client, order) {
    const stop = new AbortController();
    const calling = callTool(client, 'wait', order.arguments, { signal: stop.signal }).catch(() => {});
    const begun = await tell(client, order.arguments, 'started');
    stop.abort('no longer wanted');
    await calling;
    return { text: begun === 'started' ? await tell(client, order.arguments, 'cancelled') : begun };
  },
};

const entries = JSON.parse(readFileSync(config, 'utf8')).mcpServers;
const clients = new Map();
for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line);
  let done;
  try {
    if (!clients.has(order.server)) {
      clients.set(order.server, await connect(entries[order.server], order.patience));
    }
    done = await orders[order.do](clients.get(order.server), order);
  } catch (error) {
    done = { error: `${error.name}: ${error.message}` };
  }
  process.stdout.write(JSON.stringify(done) + '\n');
}
await Promise.all([...clients.values()].map(client => client.close()));
