// A host on the TypeScript SDK: calls the tool `steps` of the server that a command line reaches.
//
//     node progress_host.mjs CALLS TOGETHER COMMAND ARGUMENT...
//
// So many calls are open at once. Prints one line of JSON: `heard`, the steps of each call, and `milliseconds`, how long each call
// took: the first half of the calls asks for progress, the second half does not.
// It lies where no packages are: PACKAGES names them.
import { createRequire } from 'node:module';

const require = createRequire(process.env.PACKAGES);
const { Client } = require('@modelcontextprotocol/sdk/client/index.js');
const { StdioClientTransport } = require('@modelcontextprotocol/sdk/client/stdio.js');

const [calls, together, command, ...args] = process.argv.slice(2);
const client = new Client({ name: 'host', version: '1' });
client.onerror = () => {}; // it says so of each step that it drops
await client.connect(new StdioClientTransport({ command, args, env: process.env, stderr: 'ignore' }));
const heard = [];
const milliseconds = { asked: [], unasked: [] };

async function callAll(call) {
  for (let done = 0; done < Number(calls); done += Number(together)) {
    await Promise.all(Array.from({ length: Number(together) }, call));
  }
}

await callAll(async () => {
  const steps = [];
  const options = { onprogress: ({ progress }) => steps.push(progress) };
  const begun = performance.now();
  await client.callTool({ name: 'steps', arguments: {} }, undefined, options);
  milliseconds.asked.push(performance.now() - begun);
  // What was read with the result is told behind it.
  await new Promise(setImmediate);
  heard.push(steps);
});
await callAll(async () => {
  const begun = performance.now();
  await client.callTool({ name: 'steps', arguments: {} });
  milliseconds.unasked.push(performance.now() - begun);
});
console.log(JSON.stringify({ heard, milliseconds }));
await client.close();
