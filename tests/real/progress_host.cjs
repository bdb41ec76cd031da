// The TypeScript SDK as a host: 50 calls with progress, so many at once; prints what it saw.
// node progress_host.cjs TOGETHER COMMAND [ARGUMENT ...]
const sdk = `${__dirname}/node_modules/@modelcontextprotocol/sdk/dist/cjs/client`;
const { Client } = require(`${sdk}/index.js`);
const { StdioClientTransport } = require(`${sdk}/stdio.js`);

const CALLS = 50;

async function main([together, command, ...args]) {
  const client = new Client({ name: "host", version: "1" }, {});
  client.onerror = () => {}; // it says so of each progress that it drops
  await client.connect(
    new StdioClientTransport({ command, args, stderr: "ignore", env: { ...process.env } }),
  );
  let progress = 0;
  let results = 0;
  const call = async () => {
    await client.callTool({ name: "echo", arguments: {} }, undefined, {
      onprogress: () => {
        progress += 1;
      },
    });
    results += 1;
  };
  for (let done = 0; done < CALLS; done += Number(together)) {
    await Promise.all(Array.from({ length: Number(together) }, call));
  }
  console.log(JSON.stringify({ progress, results }));
  await client.close();
}

main(process.argv.slice(2));
