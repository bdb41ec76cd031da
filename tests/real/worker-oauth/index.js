// An OAuth-protected Worker as the field writes them: the OAuth library of Workers with a consent
// page of our own, and McpAgent on both transports, each path a protected resource. Its origin is
// `http://localhost:PORT` of whatever port it runs on. /ledger is the tests' window.
import { AuthorizationError, OAuthAuthorizationServer, OAuthResourceServer } from "@cloudflare/workers-oauth-provider";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { McpServer as NextServer, inputRequired } from "@modelcontextprotocol/server";
import { McpAgent } from "agents/mcp";
import { createMcpHandler, getMcpAuthContext } from "agents/mcp/server";
import { z } from "zod";

const text = (value) => ({ content: [{ type: "text", text: value }] });
const NAME = { type: "object", properties: { name: { type: "string" } }, required: ["name"] };

export class Workshop extends McpAgent {
  server = new McpServer({ name: "oauth-workshop", version: "1.0.0" });

  async init() {
    this.server.registerTool(
      "add",
      { description: "Adds two numbers.", inputSchema: { a: z.number(), b: z.number() } },
      async ({ a, b }) => text(String(a + b)),
    );
    this.server.registerTool(
      "whoami",
      { description: "Says who signed in.", inputSchema: {} },
      async () => text(String(this.props?.person)),
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

// The stateless handler of both eras.
const next = createMcpHandler(
  () => {
    const server = new NextServer({ name: "oauth-workshop-next", version: "1.0.0" });
    server.registerTool(
      "add",
      { description: "Adds two numbers.", inputSchema: z.object({ a: z.number(), b: z.number() }) },
      async ({ a, b }) => text(String(a + b)),
    );
    server.registerTool(
      "whoami",
      { description: "Says who signed in.", inputSchema: z.object({}) },
      async () => text(String(getMcpAuthContext()?.props?.person)),
    );
    server.registerTool(
      "ask",
      { description: "Asks the person for a name.", inputSchema: z.object({}) },
      async (_, context) => {
        const answer = context.mcpReq.inputResponses?.name;
        if (answer) return text(`${answer.action} ${answer.content?.name}`);
        const name = inputRequired.elicit({ message: "Who are you?", requestedSchema: NAME });
        return inputRequired({ inputRequests: { name } });
      },
    );
    return server;
  },
  { route: "/next" },
);

const transports = {
  "/mcp": Workshop.serve("/mcp", { binding: "WORKSHOP" }),
  "/sse": Workshop.serveSSE("/sse", { binding: "WORKSHOP" }),
  "/next": { fetch: next },
};
const LIFETIME = 60; // seconds: less than KV keeps is refused
const ledger = [];

// One of each for the origin, which is not known before the first request.
let issuer;
let resources;

function prepare(origin) {
  if (issuer) return;
  const paths = Object.keys(transports);
  issuer = new OAuthAuthorizationServer({
    issuer: origin,
    resources: paths.map((path) => origin + path),
    defaultResource: `${origin}/mcp`,
    tokenEndpoint: "/token",
    clientRegistrationEndpoint: "/register",
    scopesSupported: ["workshop", "offline_access"],
    accessTokenTTL: LIFETIME,
  });
  resources = Object.fromEntries(paths.map((path) => [path, protect(origin, path)]));
}

function protect(origin, path) {
  return new OAuthResourceServer({
    resourceMetadata: { resource: origin + path, authorization_servers: [origin] },
    requiredScopes: ["workshop"],
    validateToken: (env) => (resource, token) => issuer.validateToken(resource, token, env),
    handler: { fetch: (request, env, context) => transports[path].fetch(request, env, context) },
  });
}

const escape = (value) => String(value).replace(/[&<>"']/g, (one) => `&#${one.codePointAt(0)};`);

function consentPage({ clientName, scope }, handle) {
  const scopes = scope.map((one) => `<input type="hidden" name="scope" value="${escape(one)}">`).join("");
  return `<!DOCTYPE html><title>Workshop</title><h1>May ${escape(clientName)} enter the workshop?</h1>
<form method="post"><input type="hidden" name="handle" value="${escape(handle)}">${scopes}
<button name="decision" value="approve">Allow</button><button name="decision" value="deny">Deny</button></form>`;
}

async function askPerson(api, request) {
  const asked = await api.parseAuthRequest(request);
  const { handle, headers } = await api.beginConsent(asked);
  headers.set("Content-Type", "text/html; charset=utf-8");
  return new Response(consentPage(await api.describeConsent(asked), handle), { headers });
}

async function heedPerson(api, request) {
  const form = await request.formData();
  const handle = String(form.get("handle"));
  if (form.get("decision") !== "approve") {
    const { headers } = await api.denyConsent(request, handle);
    return new Response(null, { status: 302, headers });
  }
  const scope = form.getAll("scope").map(String);
  const approved = await api.approveConsent(request, handle, { scope });
  const { redirectTo } = await api.completeAuthorization({
    request: approved.request,
    userId: "ada",
    metadata: {},
    scope: approved.request.scope,
    props: { person: "ada" },
  });
  approved.headers.set("Location", redirectTo);
  return new Response(null, { status: 302, headers: approved.headers });
}

async function authorize(request, env) {
  const api = issuer.getOAuthApi(env);
  try {
    return await (request.method === "POST" ? heedPerson(api, request) : askPerson(api, request));
  } catch (error) {
    if (!(error instanceof AuthorizationError)) throw error;
    return error.redirectTo ? Response.redirect(error.redirectTo, 302) : new Response(error.description, { status: 400 });
  }
}

async function answer(request, env, context, pathname) {
  if (pathname === "/authorize") return authorize(request, env);
  const place = pathname.replace("/.well-known/oauth-protected-resource/", "/");
  const path = Object.keys(resources).find((one) => place === one || place.startsWith(`${one}/`));
  return (path ? resources[path] : issuer).fetch(request, env, context);
}

export default {
  async fetch(request, env, context) {
    const { origin, pathname } = new URL(request.url);
    if (pathname === "/ledger") return Response.json(ledger);
    prepare(origin);
    const response = await answer(request, env, context, pathname);
    ledger.push({ method: request.method, path: pathname, status: response.status });
    return response;
  },
};
