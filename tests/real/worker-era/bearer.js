// The bearer-token Worker of the spring of 2025, as the first tutorials had it: HTTP+SSE, one token.
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { McpAgent } from "agents/mcp";
import { z } from "zod";

const text = (value) => ({ content: [{ type: "text", text: value }] });

export class Workshop extends McpAgent {
  server = new McpServer({ name: "era-bearer-workshop", version: "1.0.0" });

  async init() {
    this.server.tool("add", { a: z.number(), b: z.number() }, async ({ a, b }) => text(String(a + b)));
    this.server.tool("ask", {}, async () => {
      const messages = [{ role: "user", content: { type: "text", text: "What is 6 x 7?" } }];
      const { content } = await this.server.server.createMessage({ messages, maxTokens: 10 });
      return text(`the model says ${content.text}`);
    });
  }
}

const sse = Workshop.mount("/sse", { binding: "WORKSHOP" });

export default {
  async fetch(request, env, context) {
    const { pathname } = new URL(request.url);
    const authorization = request.headers.get("authorization");
    if (authorization !== `Bearer ${env.TOKEN}`) return new Response("Unauthorized", { status: 401 });
    context.props = {};
    if (pathname === "/sse" || pathname === "/sse/message") return sse.fetch(request, env, context);
    return new Response("Not Found", { status: 404 });
  },
};
