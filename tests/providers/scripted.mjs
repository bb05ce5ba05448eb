// A provider whose answers the test sets: oauth2-mock-server. Its answers are changed just before they are sent.
//
//   given: {"paths": ["/realms/demo"]}   issuers below these paths have metadata too
//   {"now": 1777, "answers": {"claims": {..}, "header": {..}, "sign": "..", "tokens": {..}, "userinfo": {..}, "metadata": {..},
//    "github": {..}, "accepts": "client_secret_basic"}}
//
// A member that is null is left out, and one that is "<null>" is null. `accepts` refuses a client that sends its secret in
// another way. A client that authenticates by Basic and names itself in the form too is always refused, as Okta does.
//
//   {"rotate": true}     new keys sign from now on, and the old ones are deleted
//   {"seen": true}       the requests so far: {"/token": [bodies], ..}
import crypto from "node:crypto";
import { converse, load } from "./common.mjs";

const { OAuth2Server } = await load("oauth2-mock-server/dist/index.mjs");

const given = JSON.parse(process.argv[2] ?? "{}");
const server = new OAuth2Server();
let keys = {};
const makeKeys = async (name) => {
  keys = {};
  for (const alg of ["RS256", "PS256", "ES256", "EdDSA"]) keys[alg] = await server.issuer.keys.generate(alg, { kid: `${name}-${alg}` });
};
await makeKeys("first");
await server.start(0, "127.0.0.1");
const issuer = server.issuer.url;

const pss = { padding: crypto.constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 };
const foreignKey = crypto.generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
const seen = {};
let now = 0;
let answers = {};

const base64url = (value) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");
const merged = (base, changes = {}) =>
  Object.fromEntries(Object.entries({ ...base, ...changes }).filter(([, value]) => value !== null)
    .map(([name, value]) => [name, value === "<null>" ? null : value]));
const privateKey = (alg) => crypto.createPrivateKey({ key: keys[alg], format: "jwk" });
const publicPem = () => crypto.createPublicKey(privateKey("RS256")).export({ type: "spki", format: "pem" });
const hmac = (secret) => (data) => crypto.createHmac("sha256", secret).update(data).digest("base64url");
const rsa = (key, options = {}) => (data) => crypto.sign("sha256", Buffer.from(data), { key, ...options }).toString("base64url");

// How a token is signed: the algorithm and the key that its header names, and the function that signs.
const signers = () => ({
  good: [{ alg: "RS256", kid: keys.RS256.kid }, rsa(privateKey("RS256"))],
  pss: [{ alg: "PS256", kid: keys.PS256.kid }, rsa(privateKey("PS256"), pss)],
  pss_by_a_key_for_another: [{ alg: "PS256", kid: keys.RS256.kid }, rsa(privateKey("RS256"), pss)],
  es256: [{ alg: "ES256", kid: keys.ES256.kid }, rsa(privateKey("ES256"), { dsaEncoding: "ieee-p1363" })],
  eddsa: [{ alg: "EdDSA", kid: keys.EdDSA.kid },
    (data) => crypto.sign(null, Buffer.from(data), privateKey("EdDSA")).toString("base64url")],
  none: [{ alg: "none" }, () => ""],
  none_with_kid: [{ alg: "none", kid: keys.RS256.kid }, () => ""],
  none_upper_case: [{ alg: "NONE", kid: keys.RS256.kid }, () => ""],
  stripped: [{ alg: "RS256", kid: keys.RS256.kid }, () => ""],
  public_pem_as_secret: [{ alg: "HS256", kid: keys.RS256.kid }, hmac(publicPem())],
  public_modulus_as_secret: [{ alg: "HS256", kid: keys.RS256.kid }, hmac(Buffer.from(keys.RS256.n, "base64url"))],
  client_secret: [{ alg: "HS256" }, hmac("scripted-secret")],
  empty_secret: [{ alg: "HS256" }, hmac("")],
  foreign_key: [{ alg: "RS256", kid: keys.RS256.kid }, rsa(foreignKey)],
  foreign_key_without_kid: [{ alg: "RS256" }, rsa(foreignKey)],
  unknown_kid: [{ alg: "RS256", kid: "somebody-else" }, rsa(privateKey("RS256"))],
  enclosed_key: [{ alg: "RS256", kid: "mine", jwk: crypto.createPublicKey(foreignKey).export({ format: "jwk" }) }, rsa(foreignKey)],
  linked_key: [{ alg: "RS256", kid: keys.RS256.kid, jku: `${issuer}/elsewhere` }, rsa(foreignKey)],
  wrong_family: [{ alg: "ES256", kid: keys.RS256.kid }, rsa(privateKey("RS256"))],
  zero_ecdsa: [{ alg: "ES256", kid: keys.ES256.kid }, () => Buffer.alloc(64).toString("base64url")],
  der_ecdsa: [{ alg: "ES256", kid: keys.ES256.kid }, rsa(privateKey("ES256"))],
  garbage: [{ alg: "RS256", kid: keys.RS256.kid }, () => "AAAA"],
});

const idToken = (claims) => {
  const usual = { iss: issuer, sub: claims.sub, aud: claims.aud, nonce: claims.nonce, iat: now, exp: now + 300 };
  const [header, sign] = signers()[answers.sign ?? "good"];
  const head = base64url(merged({ typ: "JWT", ...header }, answers.header));
  const body = base64url(answers.payload ?? merged(usual, answers.claims));
  const signature = sign(`${head}.${body}`);
  const signedBody = answers.tampered ? base64url(merged({ ...usual, ...answers.claims }, answers.tampered)) : body;
  return answers.token ?? `${head}.${signedBody}.${signature}`;
};

const { service } = server;
const note = (path, request) => (seen[path] ??= []).push(request.body ?? {});
const isBasic = (request) => request.headers?.authorization?.startsWith("Basic ") ?? false;
const refusesClient = (request) => {
  const sent = isBasic(request) ? "client_secret_basic" : "client_secret_post";
  return answers.accepts !== undefined && answers.accepts !== sent;
};
service.on("beforeResponse", (response, request) => {
  note("/token", request);
  if (isBasic(request) && request.body?.client_id !== undefined) {
    response.statusCode = 400;
    response.body = { error: "invalid_request" };
    return;
  }
  if (refusesClient(request)) {
    response.statusCode = 401;
    response.body = { error: "invalid_client" };
    return;
  }
  const claims = JSON.parse(Buffer.from(response.body.id_token.split(".")[1], "base64url"));
  response.body.id_token = idToken(claims);
  response.body = merged(response.body, answers.tokens);
  response.statusCode = answers.status ?? 200;
});
service.on("beforeUserinfo", (response, request) => {
  note("/userinfo", request);
  response.body = answers.userinfo ?? { sub: answers.claims?.sub ?? "johndoe" };
  response.statusCode = answers.userinfo_status ?? 200;
});
service.on("beforeWellKnownOpenIdConfiguration", (response) => {
  response.body = merged(response.body, answers.metadata);
});
service.on("beforeAuthorizeRedirect", ({ url }) => {
  for (const [name, value] of Object.entries(answers.redirect ?? {})) url.searchParams.set(name, value);
});
for (const path of given.paths ?? []) {
  server.service.addRoute("GET", `${path}/.well-known/openid-configuration`, (request, response) => {
    response.setHeader("Content-Type", "application/json");
    response.end(JSON.stringify(answers.metadata ?? {}));
  });
}
server.service.addRoute("GET", "/keys", (request, response) => {
  note("/keys", request);
  response.setHeader("Content-Type", "application/json");
  response.end(JSON.stringify(answers.keys ?? { keys: server.issuer.keys.toJSON().filter((key) => Object.values(keys).some((own) => own.kid === key.kid)) }));
});
// GitHub: it has no ID token; its API returns the user.
const json = (what) => (request, response) => {
  note(what, request);
  response.statusCode = answers.github?.[`${what}_status`] ?? 200;
  response.setHeader("Content-Type", "application/json");
  response.end(JSON.stringify(answers.github?.[what] ?? null));
};
server.service.addRoute("POST", "/login/oauth/access_token", (request, response) => {
  note("/token", request);
  response.setHeader("Content-Type", "application/json");
  if (refusesClient(request)) {
    response.end(JSON.stringify({ error: "incorrect_client_credentials" }));
    return;
  }
  response.end(JSON.stringify(answers.github?.token ?? { access_token: "gho_1", token_type: "bearer" }));
});
server.service.addRoute("GET", "/api/user", json("user"));
server.service.addRoute("GET", "/api/user/emails", json("emails"));

// The private key file that Apple issues.
const appleKey = crypto.generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ type: "pkcs8", format: "pem" });

await converse({ issuer, apple_key: appleKey }, async (command) => {
  now = command.now ?? now;
  answers = command.answers ?? answers;
  if (command.rotate) await makeKeys(crypto.randomUUID());
  return command.seen ? seen : {};
});
