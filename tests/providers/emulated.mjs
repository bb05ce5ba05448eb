// Google, GitHub and Apple with their own paths: the package `emulate`, each behind a proxy that records the requests.
//
//   given: {"callback": "http://localhost:1", "google": {seed}, "github": {seed}, "apple": {seed}}
//   {"seen": "apple"}              the requests so far: [{path, method, body}]
//   {"secret": "<jwt>"}            verifies a client secret for Apple with another library than ours: its header and claims
//
// The first line also has `apple_key`: the private key file that Apple issues.
import crypto from "node:crypto";
import { converse, freePort, load, recorder } from "./common.mjs";

const { createEmulator } = await load("emulate/dist/api.js");
const { jwtVerify } = await load("jose/dist/webapi/index.js");

const given = JSON.parse(process.argv[2]);
// Apple issues the private key and keeps the public key.
const { privateKey, publicKey } = crypto.generateKeyPairSync("ec", { namedCurve: "P-256" });
const urls = {};
const seen = {};
for (const service of ["google", "github", "apple"]) {
  if (!given[service]) continue;
  seen[service] = [];
  const port = await freePort();
  const proxy = await recorder(() => port, seen[service]);
  // Another host name than the one of the appliance, so that it is another site for browsers.
  urls[service] = `http://127.0.0.1:${proxy.port}`;
  await createEmulator({ service, port, baseUrl: urls[service], seed: { [service]: given[service] } });
}

await converse({ ...urls, apple_key: privateKey.export({ type: "pkcs8", format: "pem" }) }, async (command) => {
  if (command.seen) return seen[command.seen];
  const { payload, protectedHeader } = await jwtVerify(command.secret, publicKey, { algorithms: ["ES256"] });
  return { payload, header: protectedHeader };
});
