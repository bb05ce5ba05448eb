// The life of API keys as their owner sees it: made with limits, found in the list, replaced, found in public, shown again.
import assert from "node:assert/strict";
import { fillIn, given, inspect, open, press, sees, until } from "./browser.mjs";

const PASSWORD = "correct horse, no battery";

const { person, close } = await open();
const page = await person({ permissions: ["clipboard-read", "clipboard-write"] });
const at = (path) => page.goto(given.url + path);
const told = () => page.getByRole("status").first().waitFor();

// What programs do with keys.
const call = async (key, agent = "trainer/1.0") => {
  const answer = await fetch(`${given.url}/api/account/summary`, {
    headers: { Authorization: `Bearer ${key}`, "User-Agent": agent },
  });
  return answer.status === 200 ? "good" : (await answer.json()).code;
};
const newKey = async () => (await page.locator("output#new-key").innerText()).trim();

const make = async (name, scopes, more = async () => {}) => {
  await at("/settings/keys?create=1");
  await fillIn(page, { Name: name });
  for (const scope of scopes) await page.getByLabel(scope, { exact: true }).check();
  await more();
  await press(page, "Create key");
  return newKey();
};

await at("/signin");
await fillIn(page, { "Email or username": "ada-l", Password: PASSWORD });
await press(page, "Sign in");
await sees(page, "Profile");
await at("/settings/keys");
await inspect(page, "keys-none");

// ---- Made with limits; what is typed wrong is said at its place, and nothing typed is lost.
await at("/settings/keys?create=1");
await page.getByText("Limits", { exact: true }).click();
await fillIn(page, { Name: "nightly-training", Networks: "here and there", "Requests a minute": "60" });
await page.getByLabel("account:read", { exact: true }).check();
await page.getByLabel("Expiration").selectOption("custom");
await page.getByLabel("Last day").waitFor();
await inspect(page, "keys-custom-day");
await page.getByLabel("Expiration").selectOption("30d");
await press(page, "Create key");
await page.getByRole("alert").waitFor();
assert.match(await page.getByRole("alert").innerText(), /not a network/);
assert.equal(await page.getByLabel("Requests a minute").inputValue(), "60");
await inspect(page, "keys-limits-wrong");
await fillIn(page, { Networks: "127.0.0.0/8, ::1", "Budget in credits": "25" });
await press(page, "Create key");
const nightly = await newKey();
await inspect(page, "keys-limits-made");
assert.equal(await call(nightly), "good");
await press(page, "Copy");
assert.equal((await page.evaluate(() => navigator.clipboard.readText())).trim(), nightly);

const leaked = await make("ci", ["account:read", "models:read"]);
const idle = await make("old-notebook", ["read"]);
for (let n = 0; n < 12; n += 1) assert.equal(await call(leaked, "pipeline/3.2"), "good");

// ---- Found again in the list.
await at("/settings/keys");
await inspect(page, "keys-list");
await fillIn(page, { Search: "night" });
await press(page, "Show");
await page.getByRole("link", { name: "nightly-training", exact: true }).waitFor();
assert.equal(await page.getByRole("link", { name: "old-notebook", exact: true }).count(), 0);
await fillIn(page, { Search: "nothing is called so" });
await press(page, "Show");
await page.getByText("None of your keys is like that").waitFor();
await inspect(page, "keys-none-found");
await at("/settings/keys/scopes");
await sees(page, "Scopes");
await inspect(page, "keys-scopes");

// ---- Replaced: both are good, and the old one says who still calls.
await at("/settings/keys");
await page.getByRole("link", { name: "Rotate nightly-training" }).click();
await sees(page, /Rotate/);
assert.equal(await page.getByLabel("Old key stays good for").inputValue(), "24h");
await inspect(page, "keys-rotate");
await press(page, "Rotate");
const successor = await newKey();
await inspect(page, "keys-rotated");
assert.deepEqual([await call(nightly, "trainer/7.1"), await call(successor)], ["good", "good"]);
await page.getByRole("link", { name: "nightly-training", exact: true }).last().click();
await sees(page, "nightly-training");
const old = page.url();
await inspect(page, "key-retiring");
// What programs did is written down once a minute.
await until("the caller on the page", async () => {
  await page.goto(old);
  return (await page.getByText("trainer/7.1").count()) > 0 || null;
});
await inspect(page, "key-still-called");

// ---- Name and limits of a key that lives.
await at("/settings/keys");
await page.getByRole("link", { name: "old-notebook", exact: true }).click();
await sees(page, "old-notebook");
await inspect(page, "key-detail");
await fillIn(page, { "Requests a minute": "fast" });
await press(page, "Save");
await page.getByRole("alert").waitFor();
await inspect(page, "key-change-wrong");
await fillIn(page, { Name: "notebook", "Requests a minute": "30" });
await press(page, "Save");
await told();
await sees(page, "notebook");
await press(page, "Reveal");
assert.equal((await page.locator("output#revealed-key").innerText()).trim(), idle);
await inspect(page, "key-revealed");
await page.getByRole("link", { name: "Disable" }).click();
await sees(page, /Disable/);
await inspect(page, "key-disable");
await press(page, "Disable");
await told();
assert.equal(await call(idle), "key_disabled");
await inspect(page, "key-disabled");
await press(page, "Enable");
await told();
assert.equal(await call(idle), "good");

// ---- Found in public: refused at once, one press to restore or to revoke.
const report = await fetch(`${given.url}/v1/key-exposures`, {
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify([{ token: leaked, url: "https://git.example/x", source: "commit" }]),
});
assert.equal(report.status, 202);
assert.equal(await call(leaked), "key_quarantined");
await at("/settings/keys");
await page.getByText("was found in public").waitFor();
await inspect(page, "keys-quarantine");
await page.getByRole("link", { name: "What it can do, and who used it" }).click();
await sees(page, "ci");
await inspect(page, "key-quarantined");
await at("/settings/keys");
await press(page, "Restore ci");
await told();
assert.equal(await call(leaked), "good");
await fetch(`${given.url}/v1/key-exposures`, { method: "POST", body: new URLSearchParams({ token: leaked }) });
await at("/settings/keys");
await press(page, "Revoke ci");
await told();
assert.equal(await call(leaked), "invalid_key");
await inspect(page, "keys-revoked-one");

// ---- How long new keys may live.
await fillIn(page, { Days: "soon" });
await press(page, "Save");
await page.getByRole("alert").waitFor();
await inspect(page, "keys-policy-wrong");
await fillIn(page, { Days: "14" });
await press(page, "Save");
await told();
await at("/settings/keys?create=1");
const offered = await page.getByLabel("Expiration").locator("option").allInnerTexts();
assert.deepEqual(offered, ["7 days", "Until a day…"]);
await inspect(page, "keys-create-strict");
await at("/activity");
await inspect(page, "keys-activity");

await close();
