// The life of one account: Ada signs up, creates a key, her program is charged for usage, she reads the bill, exports
// her data and deletes her account. All other parties are real: the browser, the mail server, the service, age,
// SQLCipher, the client of the reference.
import assert from "node:assert/strict";
import path from "node:path";
import { fillIn, given, open, press, sees } from "./browser.mjs";
import { domicile, mailTo, mails, script, service } from "./parties.mjs";

const EMAIL = "ada@example.org";
const PASSWORD = "correct horse, no battery";
const PASSPHRASE = "seven grey herons at dawn";

const { person, close } = await open();
const page = await person();
const at = (where) => page.goto(given.url + where);
const training = service(await domicile("service", "create", "training"));

// ---- Ada signs up; the code comes by mail.
await at("/");
await sees(page, "Sign in");
await page.getByRole("link", { name: "Create your account" }).click();
await sees(page, "Create your account");
assert.match(await page.getByRole("main").innerText(), /region\s+eu/i, "the page does not name the region of her data");
await fillIn(page, { Email: EMAIL, Username: "ada-l", Password: PASSWORD });
await press(page, "Create account");
await sees(page, "Check your email");
const asked = await mailTo(EMAIL, /code/);
assert.match(asked.from, /account@example\.org/);
assert.ok(asked.message_id.length > 10 && asked.html.includes("<"), "the mail is incomplete");
await fillIn(page, { Code: /\b\d{6}\b/.exec(asked.text)[0] });
await press(page, "Verify");
await sees(page, "Profile");
assert.equal(new URL(page.url()).pathname, "/settings/profile");
await mailTo(EMAIL, /Welcome/);

// ---- She creates a key for her training machine. It is shown once.
await page.getByRole("link", { name: "API keys" }).click();
await page.getByRole("link", { name: "Create key" }).click();
assert.equal(await page.getByLabel("Expiration").inputValue(), "90d");
await fillIn(page, { Name: "training-server" });
for (const scope of ["training", "account:read", "billing:read"]) await page.getByLabel(scope, { exact: true }).check();
await press(page, "Create key");
const key = (await page.locator("output#new-key").innerText()).trim();
assert.match(key, /^dok_/);
await at("/settings/keys");
await page.getByText("training-server").first().waitFor();
assert.ok(!(await page.content()).includes(key), "the key is shown a second time");
await mailTo(EMAIL, /training-server.*created/);

// ---- A service verifies the key and reports what the program used.
const told = await training.introspect(key, "models:read");
assert.equal(told.active, true);
assert.equal(told.granted, true);
assert.equal(told.username, "ada-l");
assert.equal((await training.introspect(key, "datasets:write")).granted, false);
const event = {
  id: "run-1", source: "https://gpu.example", workspace: told.workspace, sku: "gpu.h100", quantity: "1500",
  time: new Date().toISOString(),
};
assert.deepEqual(await training.report([event]), { accepted: 1, duplicates: 0, rejected: [] });
assert.deepEqual(await training.report([event]), { accepted: 0, duplicates: 1, rejected: [] });

// ---- Ada reads the bill: five of signup credit, one and a half spent.
await page.getByRole("link", { name: "Billing" }).click();
await sees(page, "Billing");
await page.getByText("3.50").first().waitFor();
const charge = page.getByRole("row", { name: /Usage/ });
assert.match(await charge.innerText(), /1\.50/);

// ---- The client of the reference sees the same.
const seen = await script("reference_client.py", [given.url, "ada-l"], key);
assert.equal(seen.summary.username, "ada-l");
assert.equal(seen.summary.creditsCents, 350);
assert.deepEqual(seen.api_keys.keys.map((one) => one.name), ["training-server"]);
assert.deepEqual(seen.transactions.transactions.map((one) => one.type).sort(), ["signup", "training"]);

// ---- She exports her data; Debian's age opens the file.
await page.getByRole("link", { name: "Privacy" }).click();
await fillIn(page, { Passphrase: PASSPHRASE });
await press(page, "Export all data");
await page.getByRole("progressbar").or(page.getByRole("button", { name: "Download export" })).first().waitFor();
await page.getByRole("button", { name: "Download export" }).waitFor();
const started = page.waitForEvent("download");
await press(page, "Download export");
const download = await started;
const sealed = path.join(given.folder, download.suggestedFilename());
await download.saveAs(sealed);
const opened = await script("open_export.py", [given.age, sealed, path.join(given.folder, "export.zip")], PASSPHRASE);
assert.equal(opened.manifest.region, "eu");
assert.equal(opened.manifest.subject.username, "ada-l");
assert.ok(opened.files.includes("index.html"), `no index in ${opened.files}`);
assert.match(JSON.stringify(opened.profile), /ada-l/);
assert.ok(!JSON.stringify(opened).includes(key), "the export holds the key");
await mailTo(EMAIL, /export is ready/);

// ---- The admin publishes a snapshot; an independent SQLCipher reads it with the key that the admin printed.
const snapshot = await domicile("snapshot", "now");
const databaseKey = await domicile("keyring", "show-database-key");
const kept = await script("read_snapshot.py", [snapshot], databaseKey);
assert.deepEqual(kept, { people: [["ada-l", EMAIL]], integrity: "ok" });

// ---- She revokes the key. The next introspection refuses it.
await page.getByRole("link", { name: "API keys" }).click();
await page.getByRole("link", { name: "Revoke training-server" }).click();
await sees(page, /Revoke/);
await press(page, "Revoke");
await page.getByRole("status").waitFor();
assert.deepEqual(await training.introspect(key), { active: false });
assert.equal((await script("reference_client.py", [given.url, "ada-l"], key)).summary.error, "Invalid API key");

// ---- She signs out and in again, with one wrong password, and creates a second key.
await press(page, "Sign out");
await sees(page, "Sign in");
await at("/settings/keys");
await sees(page, "Sign in");
await fillIn(page, { "Email or username": EMAIL, Password: "not this one, surely" });
await press(page, "Sign in");
await page.getByRole("alert").waitFor();
await fillIn(page, { "Email or username": EMAIL, Password: PASSWORD });
await press(page, "Sign in");
await sees(page, "API keys");
await page.getByRole("link", { name: "Create key" }).click();
await fillIn(page, { Name: "forgotten" });
await page.getByLabel("read", { exact: true }).check();
await press(page, "Create key");
const second = (await page.locator("output#new-key").innerText()).trim();
assert.equal((await training.introspect(second)).active, true);

// ---- She deletes her account. She is signed out, gets a receipt and a last mail, and none of her credentials work.
await page.getByRole("link", { name: "Privacy" }).click();
await page.getByRole("link", { name: "Delete account" }).click();
await fillIn(page, { "Type DELETE to confirm": "DELETE", Password: PASSWORD });
await press(page, "Delete my account");
await sees(page, "Your account is deleted");
const receipt = (await page.getByRole("main").locator("code").first().innerText()).trim();
const last = await mailTo(EMAIL, /account is deleted/);
assert.ok(last.text.includes(receipt), "the mail has another receipt than the page");
assert.equal(mails().at(-1).subject, last.subject, "a mail came after the last one");
assert.deepEqual(await training.introspect(second), { active: false });
await at("/settings/profile");
await sees(page, "Sign in");
await fillIn(page, { "Email or username": "ada-l", Password: PASSWORD });
await press(page, "Sign in");
await page.getByRole("alert").waitFor();
const after = await script("read_snapshot.py", [await domicile("snapshot", "now")], databaseKey);
assert.deepEqual(after, { people: [], integrity: "ok" });

await close();
