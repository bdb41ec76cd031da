// npm's oauth2-mock-server for the resource $RESOURCE: OpenID discovery alone, no registration, no
// page, no check of clients. `node mock_provider.mjs PORT`. What it cannot do by itself is said by
// its own events: whom a token is for, and how long it lives. What it grants is on stdout.
import { OAuth2Server } from "oauth2-mock-server";

const { RESOURCE, TOKEN_LIFETIME } = process.env;
const server = new OAuth2Server();
await server.issuer.keys.generate("RS256");
server.service.on("beforeTokenSigning", ({ payload }, { body }) => {
  if (payload.aud === body.client_id) return; // the ID token
  payload.aud = RESOURCE;
  payload.client_id = body.client_id;
  payload.exp = payload.iat + Number(TOKEN_LIFETIME);
  payload.scope = "workshop";
});
server.service.on("beforeResponse", ({ body }, request) => {
  body.expires_in = Number(TOKEN_LIFETIME);
  console.log("granted", request.body.grant_type);
});
server.service.on("beforeRevoke", () => console.log("revoked"));
await server.start(Number(process.argv[2]), "127.0.0.1");
console.log(`issuer at ${server.issuer.url}`);
