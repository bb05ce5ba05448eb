// An account without a password: Ann signs up with the provider of her firm, connects a second one, steps up there, and
// deletes her account. Then responses of the two providers are crossed, and every sign-in is refused.
import assert from "node:assert/strict";
import fs from "node:fs";
import { fillIn, given, inspect, open, press, sees } from "./browser.mjs";

const [corp, other] = given.providers;
const { person, close } = await open();
let page = await person();
const at = (path) => page.goto(given.url + path);
const link = (name) => page.getByRole("link", { name, exact: true });
const isHome = (url) => url.origin === given.url;

// Fills in the pages of the provider: sign-in and consent.
const signInThere = async (name) => {
  for (;;) {
    await page.waitForURL((url) => isHome(url) || url.pathname.startsWith("/interaction/"));
    if (isHome(new URL(page.url()))) return;
    const uid = page.url();
    const login = page.locator("input[name=login]");
    if (await login.count()) {
      await login.fill(name);
      await page.locator("input[name=password]").fill("anything");
    }
    await page.locator("button[type=submit]").click();
    await page.waitForURL((url) => url.href !== uid);
  }
};

const ahead = (seconds) => {
  fs.writeFileSync(`${given.clock}.next`, `+${seconds}s`);
  fs.renameSync(`${given.clock}.next`, given.clock);
};

// ---- she signs up
await at("/signup");
await inspect(page, "oauth-signup-page");
await at("/signin");
await inspect(page, "oauth-signin-page");
await link("Continue with Firm").click();
await signInThere("ann");
await sees(page, "Create your account");
await page.getByText("ann@corp.example").first().waitFor();
await inspect(page, "oauth-sign-up");
await fillIn(page, { Username: "admin" });
await press(page, "Create account");
await page.getByRole("alert").waitFor();
await inspect(page, "oauth-sign-up-wrong");
await fillIn(page, { Username: "ann-firm" });
await press(page, "Create account");
await sees(page, "Profile");

await at("/settings/security");
const connected = page.getByRole("region", { name: "Connected accounts" });
await connected.getByText("Your only way to sign in").waitFor();
assert.equal(await connected.getByRole("button", { name: /Disconnect/ }).count(), 0, "the last sign-in method cannot be removed");
await inspect(page, "oauth-security-one");

// ---- she connects a second provider
await link("Connect Other").click();
await signInThere("ann-too");
await sees(page, "Connect Other?");
await inspect(page, "oauth-connect");
await press(page, "Connect Other");
await sees(page, "Security");
await page.getByText("ann-too@other.example", { exact: true }).waitFor();
await inspect(page, "oauth-security-two");
await connected.getByRole("button", { name: "Disconnect Firm, ann@corp.example" }).click();
await page.getByText("Account disconnected").waitFor();
assert.equal(await page.getByText("ann@corp.example", { exact: true }).count(), 0);

// ---- ten minutes later she steps up there
ahead(700);
await at("/settings/keys?create=1");
await fillIn(page, { Name: "nightly" });
await press(page, "Create key");
await sees(page, "Confirm that it is you");
await inspect(page, "oauth-step-up");
await link("Confirm with Other").click();
await page.waitForURL((url) => url.origin === other, { timeout: 60_000 });
assert.equal(await page.locator("input[name=login]").count(), 1, "the provider asks again, though she is signed in there");
await signInThere("ann-too");
await sees(page, "API keys");
await fillIn(page, { Name: "nightly" });
await page.getByLabel("read", { exact: true }).check();
await press(page, "Create key");
await page.locator("output#new-key").waitFor();

// ---- the account of another person at the provider is no proof
ahead(1400);
await at("/step-up?next=/settings/keys");
await link("Confirm with Other").click();
await signInThere("somebody-else");
await page.getByText("is not connected to your account here").waitFor();
await inspect(page, "oauth-step-up-other");

// ---- she deletes her account, without a password
await at("/settings/privacy/delete");
await inspect(page, "oauth-delete-stale");
await link("Confirm with the provider you sign in with").click();
await link("Confirm with Other").click();
await signInThere("ann-too");
await sees(page, "Delete your account");
assert.equal(await page.getByLabel("Password", { exact: true }).count(), 0);
await inspect(page, "oauth-delete");
await fillIn(page, { "Type DELETE to confirm": "DELETE" });
await press(page, "Delete my account");
await page.getByText(/deleted/i).first().waitFor();
await at("/signin");
await link("Continue with Other").click();
await signInThere("ann-too");
await sees(page, "Create your account");

// ---- O2: crossed responses. `bea` has accounts here with both providers.
await page.context().close();
page = await person();
for (const [label, name] of [["Continue with Firm", "bea"], ["Continue with Other", "bea-too"]]) {
  await at("/signin");
  await link(label).click();
  await signInThere(name);
  await sees(page, "Create your account");
  await fillIn(page, { Username: `${name}-x` });
  await press(page, "Create account");
  await page.waitForURL((url) => isHome(url) && !url.pathname.startsWith("/oauth/"));
  await page.context().clearCookies({ name: "domicile-session" });
}

/** Starts at this URL and stops before the callback: the URL of the callback. */
const callbackOf = async (start) => {
  let url = new URL(start);
  while (!/^\/oauth\/(corp|other)\/callback$/.test(url.pathname)) {
    const answer = await page.request.get(String(url), { maxRedirects: 0 });
    const { location } = answer.headers();
    assert.ok(location, `${url} answered ${answer.status()}`);
    url = new URL(location, url);
  }
  return url;
};

const isIn = async () => {
  const response = await page.request.get(`${given.url}/settings/profile`, { maxRedirects: 0 });
  return response.status() === 200;
};
const refused = async (url, what) => {
  await page.goto(String(url));
  await page.getByRole("alert").waitFor();
  assert.equal(await isIn(), false, `${what}: a session was started`);
};

const viaCorp = await callbackOf(`${given.url}/oauth/corp/start`);
assert.equal(viaCorp.searchParams.get("iss"), corp);
const elsewhere = new URL(viaCorp);
elsewhere.pathname = "/oauth/other/callback";
await refused(elsewhere, "a response at the path of the other provider");
const claimed = new URL(viaCorp);
claimed.searchParams.set("iss", other);
await refused(claimed, "a response that names the other issuer");
await refused(viaCorp, "the same response after that");

// The classic mix-up attack (RFC 9700, 4.4.1): one provider sends the browser to the other with its own state.
const startOf = async (name) => {
  const started = await page.request.get(`${given.url}/oauth/${name}/start`, { maxRedirects: 0 });
  return new URL(started.headers().location);
};
const [evil, honest] = [await startOf("other"), await startOf("corp")];
for (const part of ["state", "code_challenge", "nonce"]) honest.searchParams.set(part, evil.searchParams.get(part));
await refused(await callbackOf(honest), "a state of the other provider");
await inspect(page, "oauth-refused");

const unsigned = await callbackOf(`${given.url}/oauth/corp/start`);
unsigned.searchParams.delete("iss");
await refused(unsigned, "a response without the promised issuer");

await close();
