// Two strict OpenID providers, `corp` and `other`: the certified oidc-provider, each behind a door that writes down what was
// asked. Their sign-in pages take any name as the person, and ask for consent.
//
//   given: {"callback": "http://localhost:1"}   where the appliance is
//   {"seen": "corp"}                            what was asked of it so far: [[method, path], ..]
import { converse, freePort, load, recorder } from "./common.mjs";

const { default: Provider } = await load("oidc-provider/lib/index.js");

const given = JSON.parse(process.argv[2]);
// It says on its standard output how it is not to be run; there we speak ourselves.
console.info = console.warn = console.error;

const start = async (name, host) => {
  const seen = [];
  const port = await freePort();
  const door = await recorder(() => port, seen);
  const issuer = `http://${host}:${door.port}`;
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

// Two names of this machine: to a browser they are two sites with cookies of their own.
const corp = await start("corp", "localhost");
const other = await start("other", "127.0.0.1");

await converse({ corp: corp.issuer, other: other.issuer }, ({ seen }) =>
  ({ corp, other })[seen].seen.map(({ method, path }) => [method, path]));
