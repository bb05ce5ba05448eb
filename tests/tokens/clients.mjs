// The clients that services in JavaScript use: openid-client discovers, exchanges and introspects, jose verifies. Prints who each
// of them found. The key and the credential of the service gpu-farm come from the standard input.

import { createInterface } from "node:readline/promises";

let client, jose;
try {
    client = await import("../tools/node_modules/openid-client/build/index.js");
    jose = await import("../tools/node_modules/jose/dist/webapi/index.js");
} catch (missing) {
    console.error(`this test needs openid-client and jose, which are not here (${missing}). Run: ./dev tools`);
    process.exit(1);
}

const base = process.argv[2];
const lines = [];
for await (const line of createInterface({ input: process.stdin })) {
    lines.push(line);
}
const [key, secret] = lines;

const seen = {};
const methods = { basic: client.ClientSecretBasic, post: client.ClientSecretPost };
for (const [name, method] of Object.entries(methods)) {
    // With a capital letter and a hyphen, which the first method encodes.
    const config = await client.discovery(new URL(base), "GPU-Farm", undefined, method(secret), {
        algorithm: "oauth2",
        execute: [client.allowInsecureRequests],
    });
    const found = await client.tokenIntrospection(config, key);
    seen[`${name} introspects a key`] = found.active && found.username;
    const exchanged = await client.genericGrantRequest(config, "urn:ietf:params:oauth:grant-type:token-exchange", {
        subject_token: key,
        subject_token_type: "urn:domicile:api-key",
        scope: "models:read",
    });
    const token = await client.tokenIntrospection(config, exchanged.access_token);
    seen[`${name} introspects a token`] = token.active && token.sub === found.sub && found.username;

    const keys = jose.createRemoteJWKSet(new URL(config.serverMetadata().jwks_uri));
    const options = { issuer: base, audience: "gpu-farm", typ: "at+jwt", algorithms: ["EdDSA"] };
    const { payload } = await jose.jwtVerify(exchanged.access_token, keys, options);
    seen[`jose verifies after ${name}`] = payload.sub === found.sub && payload.scope === "models:read" && found.username;

    const wrong = await client.discovery(new URL(base), "GPU-Farm", undefined, method(`${secret.slice(0, -1)}x`), {
        algorithm: "oauth2",
        execute: [client.allowInsecureRequests],
    });
    const refused = await client.tokenIntrospection(wrong, key).catch((error) => error);
    seen[`${name} with a wrong secret is refused`] = refused instanceof Error && (refused.cause?.status ?? 401) === 401 && found.username;
}
console.log(JSON.stringify(seen));
