// A server made with the official TypeScript SDK: `node typescript_server.mjs PORT LINE`. `sessions` is
// the SDK's first line, Streamable HTTP with a session for each client; `both` is its second as it comes,
// which answers older clients without a session, and `modern` answers 2026-07-28 and nothing else.
// Where it listens is on stdout.
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { Readable } from "node:stream";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { createMcpHandler, inputRequired, McpServer as ModernServer } from "@modelcontextprotocol/server";
import { z } from "zod";

const [port, line] = process.argv.slice(2);
const text = (value) => ({ content: [{ type: "text", text: value }] });
const NAME = { type: "object", properties: { name: { type: "string" } }, required: ["name"] };
const QUESTION = { message: "Who are you?", requestedSchema: NAME };
const WORDS = { description: "Adds two numbers." };
const say = ({ action, content }) => text(`${action} ${content?.name}`);

function makeServer() {
  const server = new McpServer({ name: "typescript-workshop", version: "1.0.0" });
  const inputSchema = { a: z.number(), b: z.number() };
  server.registerTool("add", { ...WORDS, inputSchema }, async ({ a, b }) => text(String(a + b)));
  server.registerTool("ask", { description: "Asks for a name.", inputSchema: {} }, async () => say(await server.server.elicitInput(QUESTION)));
  return server;
}

function makeModernServer() {
  const server = new ModernServer({ name: "typescript-workshop", version: "2.0.0" });
  const inputSchema = z.object({ a: z.number(), b: z.number() });
  server.registerTool("add", { ...WORDS, inputSchema }, async ({ a, b }) => text(String(a + b)));
  server.registerTool("ask", { description: "Asks for a name.", inputSchema: z.object({}) }, async (_, context) => {
    const answer = context.mcpReq.inputResponses?.name;
    return answer ? say(answer) : inputRequired({ inputRequests: { name: inputRequired.elicit(QUESTION) } });
  });
  return server;
}

const sessions = new Map();

async function answerSession(request, response) {
  const known = sessions.get(request.headers["mcp-session-id"]);
  if (known) return known.handleRequest(request, response);
  if (request.headers["mcp-session-id"]) return response.writeHead(404).end("no such session");
  const transport = new StreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    onsessioninitialized: (id) => sessions.set(id, transport),
    onsessionclosed: (id) => sessions.delete(id),
  });
  await makeServer().connect(transport);
  return transport.handleRequest(request, response);
}

const modern = createMcpHandler(makeModernServer, { legacy: line === "modern" ? "reject" : "stateless" });

async function answerModern(request, response) {
  const url = `http://${request.headers.host}${request.url}`;
  const body = request.method === "POST" ? Readable.toWeb(request) : undefined;
  const answer = await modern.fetch(new Request(url, { method: request.method, headers: request.headers, body, duplex: "half" }));
  response.writeHead(answer.status, Object.fromEntries(answer.headers));
  for await (const chunk of answer.body ?? []) response.write(chunk);
  response.end();
}

const answer = line === "sessions" ? answerSession : answerModern;
const server = createServer((request, response) => {
  if (new URL(request.url, "http://localhost").pathname !== "/mcp") return response.writeHead(404).end();
  answer(request, response).catch((error) => {
    console.error(error);
    response.destroy();
  });
});
server.listen(Number(port), "127.0.0.1", () => console.log(`on loopback port ${server.address().port}`));
