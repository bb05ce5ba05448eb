// Google, GitHub and Apple with their own paths: `emulate`, each behind a door that writes down what was asked.
//
//   given: {"callback": "http://localhost:1", "google": {seed}, "github": {seed}, "apple": {seed}}
//   {"seen": "apple"}              what was asked of it: [{path, method, body}]
//   {"secret": "<jwt>"}            whether Apple's client secret is good, by another library than ours: its header and claims
//
// What it says first has `apple_key`, too: the file that Apple gives out with a key.
import crypto from "node:crypto";
import { converse, freePort, load, recorder } from "./common.mjs";

const { createEmulator } = await load("emulate/dist/api.js");
const { jwtVerify } = await load("jose/dist/webapi/index.js");

const given = JSON.parse(process.argv[2]);
// What Apple gives out: a key of which it keeps the public half.
const { privateKey, publicKey } = crypto.generateKeyPairSync("ec", { namedCurve: "P-256" });
const urls = {};
const seen = {};
for (const service of ["google", "github", "apple"]) {
  if (!given[service]) continue;
  seen[service] = [];
  const port = await freePort();
  const door = await recorder(() => port, seen[service]);
  // Another name for this machine than the appliance has: to a browser, another site.
  urls[service] = `http://127.0.0.1:${door.port}`;
  await createEmulator({ service, port, baseUrl: urls[service], seed: { [service]: given[service] } });
}

await converse({ ...urls, apple_key: privateKey.export({ type: "pkcs8", format: "pem" }) }, async (told) => {
  if (told.seen) return seen[told.seen];
  const { payload, protectedHeader } = await jwtVerify(told.secret, publicKey, { algorithms: ["ES256"] });
  return { payload, header: protectedHeader };
});
