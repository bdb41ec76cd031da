// A Worker as the field writes them: McpAgent of the `agents` package behind one shared bearer
// token, both transports, and a ledger of what reached it. Nothing but the token opens /sse and
// /mcp; /ledger is the tests' window and needs no token.
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { McpAgent } from "agents/mcp";
import { z } from "zod";

const text = (value) => ({ content: [{ type: "text", text: value }] });
const NAME = { type: "object", properties: { name: { type: "string" } }, required: ["name"] };

export class Workshop extends McpAgent {
  server = new McpServer({ name: "bearer-workshop", version: "1.0.0" });

  async init() {
    this.server.registerTool(
      "add",
      { description: "Adds two numbers.", inputSchema: { a: z.number(), b: z.number() } },
      async ({ a, b }) => text(String(a + b)),
    );
    this.server.registerTool(
      "whoami",
      { description: "Says which headers came with the session.", inputSchema: {} },
      async () => text(JSON.stringify({ authorized: this.props.authorized, extra: this.props.extra })),
    );
    this.server.registerTool(
      "ask",
      { description: "Asks the person for a name.", inputSchema: {} },
      async (_, { requestId }) => {
        const asked = { message: "Who are you?", requestedSchema: NAME };
        const { action, content } = await this.elicitInput(asked, { relatedRequestId: requestId });
        return text(`${action} ${content?.name}`);
      },
    );
  }
}

const streamable = Workshop.serve("/mcp", { binding: "WORKSHOP" });
const legacy = Workshop.serveSSE("/sse", { binding: "WORKSHOP" });

// One isolate serves the whole of a `wrangler dev`, so a plain array is ledger enough.
const ledger = [];

async function answer(request, env, context) {
  const { pathname } = new URL(request.url);
  const authorization = request.headers.get("authorization");
  if (authorization !== `Bearer ${env.TOKEN}`) return new Response("Unauthorized", { status: 401 });
  // Never the value: it would come back in a tool's answer and hide a leak of the proxy.
  context.props = { authorized: true, extra: request.headers.get("x-extra") };
  if (pathname === "/mcp") return streamable.fetch(request, env, context);
  if (pathname === "/sse" || pathname === "/sse/message") return legacy.fetch(request, env, context);
  return new Response("Not Found", { status: 404 });
}

export default {
  async fetch(request, env, context) {
    const { pathname } = new URL(request.url);
    if (pathname === "/ledger") return Response.json(ledger);
    const response = await answer(request, env, context);
    ledger.push({ method: request.method, path: pathname, status: response.status });
    return response;
  },
};
