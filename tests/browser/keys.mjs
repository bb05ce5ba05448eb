// API keys as their owner sees them: created with limits, found in the list, rotated, reported as exposed, revealed.
import assert from "node:assert/strict";
import { fillIn, given, inspect, open, press, sees, until } from "./browser.mjs";

const PASSWORD = "correct horse, no battery";

const { person, close } = await open();
const page = await person({ permissions: ["clipboard-read", "clipboard-write"] });
const at = (path) => page.goto(given.url + path);
const confirmed = () => page.getByRole("status").first().waitFor();

// A program calls the API with a key.
const call = async (key, agent = "trainer/1.0") => {
  const answer = await fetch(`${given.url}/api/account/summary`, {
    headers: { Authorization: `Bearer ${key}`, "User-Agent": agent },
  });
  return answer.status === 200 ? "good" : (await answer.json()).code;
};
const newKey = async () => (await page.locator("output#new-key").innerText()).trim();

const create = async (name, scopes, more = async () => {}) => {
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

// ---- Created with limits. An error is shown at its field, and the form keeps its values.
await at("/settings/keys?create=1");
await page.getByText("Limits", { exact: true }).click();
await fillIn(page, { Name: "nightly-training", Networks: "here and there", "Requests per minute": "60" });
await page.getByLabel("account:read", { exact: true }).check();
await page.getByLabel("Expiration").selectOption("custom");
await page.getByLabel("Last day").waitFor();
await inspect(page, "keys-custom-day");
await page.getByLabel("Expiration").selectOption("30d");
await press(page, "Create key");
await page.getByRole("alert").waitFor();
assert.match(await page.getByRole("alert").innerText(), /not a network/);
assert.equal(await page.getByLabel("Requests per minute").inputValue(), "60");
await inspect(page, "keys-limits-wrong");
await fillIn(page, { Networks: "127.0.0.0/8, ::1", "Budget in credits": "25" });
await press(page, "Create key");
const nightly = await newKey();
await inspect(page, "keys-limits-made");
assert.equal(await call(nightly), "good");
await press(page, "Copy");
assert.equal((await page.evaluate(() => navigator.clipboard.readText())).trim(), nightly);

const leaked = await create("ci", ["account:read", "models:read"]);
const idle = await create("old-notebook", ["read"]);
for (let n = 0; n < 12; n += 1) assert.equal(await call(leaked, "pipeline/3.2"), "good");

// ---- Search in the list.
await at("/settings/keys");
await inspect(page, "keys-list");
await fillIn(page, { Search: "night" });
await press(page, "Show");
await page.getByRole("link", { name: "nightly-training", exact: true }).waitFor();
assert.equal(await page.getByRole("link", { name: "old-notebook", exact: true }).count(), 0);
await fillIn(page, { Search: "no key has this name" });
await press(page, "Show");
await page.getByText("No keys match your search").waitFor();
await inspect(page, "keys-none-found");
await at("/settings/keys/scopes");
await sees(page, "Scopes");
await inspect(page, "keys-scopes");

// ---- Rotated: both keys work, and the page of the old one shows which programs still use it.
await at("/settings/keys");
await page.getByRole("link", { name: "Rotate nightly-training" }).click();
await sees(page, /Rotate/);
assert.equal(await page.getByLabel("Old key stays valid for").inputValue(), "24h");
await inspect(page, "keys-rotate");
await press(page, "Rotate");
const successor = await newKey();
await inspect(page, "keys-rotated");
assert.deepEqual([await call(nightly, "trainer/7.1"), await call(successor)], ["good", "good"]);
await page.getByRole("link", { name: "nightly-training", exact: true }).last().click();
await sees(page, "nightly-training");
const old = page.url();
await inspect(page, "key-retiring");
// Usage is written once a minute.
await until("the caller on the page", async () => {
  await page.goto(old);
  return (await page.getByText("trainer/7.1").count()) > 0 || null;
});
await inspect(page, "key-still-called");
await page.getByRole("img", { name: /^Used .* in the last 30 days/ }).waitFor();
await page.getByText("As a table").click();
await page.getByRole("group", { name: "Uses by day" }).getByRole("row").nth(1).waitFor();
await inspect(page, "key-chart");

// ---- Name and limits of a live key.
await at("/settings/keys");
await page.getByRole("link", { name: "old-notebook", exact: true }).click();
await sees(page, "old-notebook");
await inspect(page, "key-detail");
await fillIn(page, { "Requests per minute": "fast" });
await press(page, "Save limits");
await page.getByRole("alert").waitFor();
await inspect(page, "key-change-wrong");
await fillIn(page, { "Requests per minute": "30" });
await press(page, "Save limits");
await confirmed();
await fillIn(page, { Name: "notebook" });
await press(page, "Save name and note");
await confirmed();
await sees(page, "notebook");
assert.equal(await page.getByLabel("Requests per minute").inputValue(), "30", "the other form changes nothing of it");
await press(page, "Copy the ID");
assert.match(await page.evaluate(() => navigator.clipboard.readText()), /^key_/);
await press(page, "Reveal");
assert.equal((await page.locator("output#revealed-key").innerText()).trim(), idle);
await inspect(page, "key-revealed");
await page.getByRole("link", { name: "Reduce" }).click();
await sees(page, /Reduce the scopes/);
await inspect(page, "key-reduce");
await page.getByLabel("Billing: none").check();
await press(page, "Reduce scopes");
await page.getByRole("status").filter({ hasText: "The scopes were reduced" }).waitFor();
assert.equal(await page.locator("dd code.listed", { hasText: "billing:read" }).count(), 0);
await page.getByRole("link", { name: "Disable" }).click();
await sees(page, /Disable/);
await inspect(page, "key-disable");
await press(page, "Disable");
await confirmed();
assert.equal(await call(idle), "key_disabled");
await inspect(page, "key-disabled");
await press(page, "Enable");
await confirmed();
assert.equal(await call(idle), "good");

// ---- Found in public: blocked at once. One button restores it, another revokes it.
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
await page.getByRole("link", { name: "See its scopes and use" }).click();
await sees(page, "ci");
await inspect(page, "key-quarantined");
await at("/settings/keys");
await press(page, "Restore ci");
await confirmed();
assert.equal(await call(leaked), "good");
await fetch(`${given.url}/v1/key-exposures`, { method: "POST", body: new URLSearchParams({ token: leaked }) });
await at("/settings/keys");
await press(page, "Revoke ci");
await confirmed();
assert.equal(await call(leaked), "invalid_key");
await inspect(page, "keys-revoked-one");

// ---- The maximum lifetime for new keys.
await page.getByText("Maximum lifetime for new keys").click();
await fillIn(page, { Days: "soon" });
await press(page, "Save");
await page.getByRole("alert").waitFor();
await inspect(page, "keys-policy-wrong");
await fillIn(page, { Days: "14" });
await press(page, "Save");
await confirmed();
await at("/settings/keys?create=1");
const offered = await page.getByLabel("Expiration").locator("option").allInnerTexts();
assert.deepEqual(offered, ["7 days", "Until a day…"]);
await inspect(page, "keys-create-strict");
await at("/activity");
await inspect(page, "keys-activity");

await close();
