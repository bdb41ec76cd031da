// The certified OpenID provider of npm, as strict as it comes: PKCE, dynamic registration, rotating
// refresh tokens with reuse detection, JWT access tokens for one resource, a login page and a
// consent page. `node provider.mjs PORT RESOURCE`, PORT 0 for any; what it grants is on stdout.
// The proof of a client's key must be for the issuer. $CLIENTS, a JSON array, are known without registration. $CLIENT_DOCUMENTS, a host and the origin
// that answers in its place, lets clients be described by documents of that host. With $NONCES proofs
// of possession need its nonce; with $DEVICE it gives codes for other devices. $ISSUER_SLOW_BY is by how many seconds its clock is behind.
import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { Provider, errors } from "oidc-provider";

const [port, resource] = process.argv.slice(2);
const LIFETIME = Number(process.env.TOKEN_LIFETIME ?? 60);
const DAY = 86_400;

const resources = {
  enabled: true,
  defaultResource: () => resource,
  useGrantedResource: () => true,
  getResourceServerInfo(context, asked) {
    if (asked !== resource) throw new Error(`no such resource: ${asked}`);
    const jwt = { sign: { alg: "RS256" } };
    return { audience: resource, scope: "workshop", accessTokenFormat: "jwt", accessTokenTTL: LIFETIME, jwt };
  },
};

if (process.env.ISSUER_SLOW_BY) {
  const now = Date.now;
  const slowBy = 1000 * Number(process.env.ISSUER_SLOW_BY);
  globalThis.Date = class extends Date {
    constructor(...parts) {
      super(...(parts.length ? parts : [now() - slowBy]));
    }
    static now() {
      return now() - slowBy;
    }
  };
}

const configuration = {
  clients: JSON.parse(process.env.CLIENTS ?? "[]"),
  scopes: ["openid", "offline_access", "workshop"],
  cookies: { keys: ["only for tests"] },
  findAccount: (context, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  rotateRefreshToken: true,
  issueRefreshToken: (context, client, code) => code.scopes.has("offline_access"),
  ttl: { AccessToken: LIFETIME, AuthorizationCode: 60, Grant: DAY, IdToken: 60, Interaction: 600, RefreshToken: DAY, Session: DAY },
  // As RFC 7523bis has it; oidc-provider itself also takes the token endpoint, but for FAPI 2.0.
  assertJwtClientAuthClaimsAndHeader: (context, { aud }) => {
    if (aud !== context.oidc.issuer) throw new errors.InvalidClientAuth({ cause: "not the issuer" });
  },
  clientAuthMethods: ["none", "client_secret_basic", "client_secret_post", "private_key_jwt"],
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: true },
    registration: { enabled: true },
    resourceIndicators: resources,
    revocation: { enabled: true },
  },
};

if (process.env.NONCES)
  configuration.features.dPoP = { enabled: true, nonceSecret: randomBytes(32), requireNonce: () => true };

if (process.env.DEVICE) configuration.features.deviceFlow = { enabled: true };

if (process.env.CLIENT_DOCUMENTS) {
  const [host, origin] = process.env.CLIENT_DOCUMENTS.split(" ");
  configuration.features.clientIdMetadataDocument = { enabled: true, ack: "draft-02" };
  configuration.fetch = (url, { headers }) => {
    const wanted = new URL(url);
    if (wanted.host !== host) throw new Error(`no such host: ${wanted.host}`);
    console.log("document", wanted.href);
    return fetch(origin + wanted.pathname, { headers, redirect: "error" });
  };
}

// The issuer names the port, so the socket comes first.
const server = createServer((request, response) => {
  // Node's own clock is not to be had: it would tell the right time.
  if (process.env.ISSUER_SLOW_BY) response.setHeader("Date", new Date().toUTCString());
  handle(request, response);
});
let handle;
server.listen(Number(port), "127.0.0.1", () => {
  const found = server.address().port;
  const provider = new Provider(`http://localhost:${found}`, configuration);
  provider.on("registration_create.success", (context, client) => console.log("registered", client.clientId));
  provider.on("device_authorization.success", (context, body) => console.log("code at", body.verification_uri_complete));
  provider.on("grant.success", ({ oidc }) => console.log("granted", oidc.params.grant_type));
  provider.on("refresh_token.destroyed", () => console.log("revoked refresh_token"));
  for (const event of ["authorization.error", "grant.error", "registration_create.error", "server_error"])
    provider.on(event, (context, error) => console.log(event, error.message, error.error_description ?? ""));
  handle = provider.callback();
  console.log(`issuer at http://localhost:${found}`);
});
