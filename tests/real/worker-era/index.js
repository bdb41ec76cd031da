// The same workshop as its authors wrote it in the spring of 2025: HTTP+SSE only, the OAuth library
// in its first version, which publishes no metadata of the resource. One consent page of our own.
import OAuthProvider from "@cloudflare/workers-oauth-provider";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { McpAgent } from "agents/mcp";
import { z } from "zod";

const text = (value) => ({ content: [{ type: "text", text: value }] });

export class Workshop extends McpAgent {
  server = new McpServer({ name: "era-workshop", version: "1.0.0" });

  async init() {
    this.server.tool("add", { a: z.number(), b: z.number() }, async ({ a, b }) => text(String(a + b)));
    this.server.tool("whoami", {}, async () => text(String(this.props?.person)));
    this.server.tool("ask", {}, async () => {
      const messages = [{ role: "user", content: { type: "text", text: "What is 6 x 7?" } }];
      const { content } = await this.server.server.createMessage({ messages, maxTokens: 10 });
      return text(`the model says ${content.text}`);
    });
  }
}

function consentPage(asked) {
  const kept = encodeURIComponent(JSON.stringify(asked));
  const page = `<!DOCTYPE html><title>Workshop</title><h1>May this program enter the workshop?</h1>
<form method="post"><input type="hidden" name="asked" value="${kept}"><button>Allow</button></form>`;
  return new Response(page, { headers: { "Content-Type": "text/html; charset=utf-8" } });
}

async function allow(request, env) {
  const asked = JSON.parse(decodeURIComponent((await request.formData()).get("asked")));
  const { redirectTo } = await env.OAUTH_PROVIDER.completeAuthorization({
    request: asked,
    userId: "ada",
    metadata: {},
    scope: asked.scope,
    props: { person: "ada" },
  });
  return Response.redirect(redirectTo, 302);
}

const pages = {
  async fetch(request, env) {
    if (new URL(request.url).pathname !== "/authorize") return new Response("Not Found", { status: 404 });
    if (request.method === "POST") return allow(request, env);
    return consentPage(await env.OAUTH_PROVIDER.parseAuthRequest(request));
  },
};

export default new OAuthProvider({
  apiRoute: "/sse",
  apiHandler: Workshop.mount("/sse", { binding: "WORKSHOP" }),
  defaultHandler: pages,
  authorizeEndpoint: "/authorize",
  tokenEndpoint: "/token",
  clientRegistrationEndpoint: "/register",
  accessTokenTTL: 60, // seconds: less than KV keeps is refused
});
