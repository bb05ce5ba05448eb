// Two strict OpenID providers, `corp` and `other`: the certified oidc-provider, each behind a proxy that records the
// requests. Their sign-in pages accept any name as the person, and ask for consent.
//
//   given: {"callback": "http://localhost:1"}   the URL of the appliance
//   {"seen": "corp"}                            the requests so far: [[method, path], ..]
import { converse, freePort, load, recorder } from "./common.mjs";

const { default: Provider } = await load("oidc-provider/lib/index.js");

const given = JSON.parse(process.argv[2]);
// It prints warnings to the standard output, which we need for our own lines.
console.info = console.warn = console.error;

const start = async (name, host) => {
  const seen = [];
  const port = await freePort();
  const proxy = await recorder(() => port, seen);
  const issuer = `http://${host}:${proxy.port}`;
  const provider = new Provider(issuer, {
    clients: [{
      client_id: "domicile",
      client_secret: `secret-of-${name}`,
      redirect_uris: [`${given.callback}/oauth/${name}/callback`],
      grant_types: ["authorization_code"],
      response_types: ["code"],
    }],
    pkce: { required: () => true },
    claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
    findAccount: (context, id) => ({
      accountId: id,
      claims: async () => ({ sub: id, email: `${id}@${name}.example`, email_verified: true, name: `${id} of ${name}` }),
    }),
  });
  provider.listen(port);
  return { issuer, seen };
};

// Two host names of this machine, so that they are two sites with separate cookies for browsers.
const corp = await start("corp", "localhost");
const other = await start("other", "127.0.0.1");

await converse({ corp: corp.issuer, other: other.issuer }, ({ seen }) =>
  ({ corp, other })[seen].seen.map(({ method, path }) => [method, path]));
