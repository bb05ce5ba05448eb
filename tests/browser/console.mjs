// The operator console in the browser: an operator without a second factor, the overview, and a service from its
// connection to its end. Every page on the way is inspected; the second half runs without scripts.
import assert from "node:assert/strict";
import fs from "node:fs";
import { fillIn, given, inspect, open, press, sees } from "./browser.mjs";
import { codeAt } from "./parties.mjs";

const PASSWORD = "a walk by the river";
const { person, close } = await open();
const ahead = (minutes) => {
  fs.writeFileSync(`${given.clock}.next`, `+${minutes * 60}s`);
  fs.renameSync(`${given.clock}.next`, given.clock);
};

const olga = await person();
const at = (page, path) => page.goto(given.url + path);
await at(olga, "/signin?next=/admin");
await fillIn(olga, { "Email or username": "olga-o", Password: PASSWORD });
await press(olga, "Sign in");
await sees(olga, "Security");
await olga.getByText("You are an operator of this site").waitFor();
await inspect(olga, "console-no-factor");
await press(olga, "Set up an app");
await sees(olga, "Set up an authenticator app");
const secret = (await olga.locator("#totp-secret").innerText()).replace(/\s/g, "");
await fillIn(olga, { Code: codeAt(secret) });
await olga.keyboard.press("Enter");
await sees(olga, "Recovery codes");
const [recovery] = (await olga.locator("#recovery-codes").innerText()).trim().split(/\s+/);

await olga.getByRole("link", { name: "Overview" }).click();
await sees(olga, "Operator console");
await inspect(olga, "console-overview");
await olga.getByRole("navigation").getByRole("link", { name: "Services" }).click();
await sees(olga, "Services");
await inspect(olga, "console-services-empty");
await olga.getByRole("link", { name: "Connect service" }).click();
await inspect(olga, "console-connect");
await fillIn(olga, { Name: "no name!" });
await press(olga, "Connect service");
await olga.getByRole("alert").waitFor();
await inspect(olga, "console-connect-wrong");
await fillIn(olga, { Name: "training.of-the-north-warehouse.eu-west-1" });
await olga.getByLabel("resources:write").uncheck();
await press(olga, "Connect service");
await sees(olga, "training.of-the-north-warehouse.eu-west-1");
const credential = await olga.locator("output#new-secret").innerText();
await inspect(olga, "console-service-new");
const introspected = await fetch(`${given.url}/v1/introspect`, {
  method: "POST", headers: { Authorization: `Bearer ${credential}` }, body: new URLSearchParams({ token: "x" }),
});
assert.equal(introspected.status, 200, "the credential works");
await olga.reload();
assert.equal(await olga.locator("output#new-secret").innerText(), credential, "a reload shows it again");
const there = new URL(olga.url()).pathname;
const introduced = await fetch(`${given.url}/v1/services/self`, {
  method: "PUT", headers: { Authorization: `Bearer ${credential}`, "Content-Type": "application/json" },
  body: JSON.stringify({
    version: 3, can_export: true, can_erase: true,
    resource_types: [{ name: "checkpoint", label: "Checkpoint", parent: "model", category: "models", limit: "models" }],
    skus: [{ sku: "gpu.h100", label: "NVIDIA H100", unit: "second" }],
  }),
});
assert.equal(introduced.status, 200);
await at(olga, there);
assert.equal(await olga.locator("output#new-secret").count(), 0);
await inspect(olga, "console-service");
await olga.getByLabel("Address", { exact: true }).fill("https://undeclared.example.org/hook");
await press(olga, "Save address");
await olga.getByRole("alert").waitFor();
await inspect(olga, "console-webhook-wrong");
await press(olga, "Make enrolment code");
await olga.getByText("It works for ten minutes and once.").waitFor();
await inspect(olga, "console-service-code");
await at(olga, "/admin/services");
await inspect(olga, "console-services");

// ---- After a pause the console asks, and says why.
ahead(16);
await at(olga, there);
await sees(olga, "Confirm that it is you");
await inspect(olga, "console-paused");
await fillIn(olga, { Code: recovery });
await press(olga, "Confirm");
await sees(olga, "training.of-the-north-warehouse.eu-west-1");

// ---- The rest without scripts.
const { cookies } = await olga.context().storageState();
const plain = await person({ javaScriptEnabled: false, storageState: { cookies, origins: [] } });
await at(plain, there);
await plain.getByRole("link", { name: "Rotate credential" }).click();
await sees(plain, /Rotate the credential/);
await plain.getByLabel("The old one stays valid for").selectOption({ label: "1 hour" });
await press(plain, "Rotate credential");
await plain.locator("output#new-secret").waitFor();
assert.notEqual(await plain.locator("output#new-secret").innerText(), credential);
await plain.getByText("Retiring").first().waitFor();
await plain.getByLabel("Only these").check();
await plain.getByLabel("Ids of workspaces").fill("ws_nothing");
await press(plain, "Save");
await plain.getByRole("alert").waitFor();
await plain.getByLabel("All, also those that are created later").check();
await plain.getByLabel("usage:write").uncheck();
await press(plain, "Save");
await plain.getByText("It is in force at the next request").waitFor();
await plain.getByRole("link", { name: "Disconnect" }).click();
await sees(plain, /Disconnect/);
await press(plain, "Disconnect");
await sees(plain, "Services");
await plain.getByText("Its credentials are refused from now on").waitFor();

// The pages of confirmation, as they look with scripts.
await at(olga, "/admin/services?create=1");
await fillIn(olga, { Name: "second" });
await press(olga, "Connect service");
await sees(olga, "second");
await olga.getByRole("link", { name: "Rotate credential" }).click();
await inspect(olga, "console-rotate");
await olga.getByRole("link", { name: "Cancel" }).click();
await olga.getByRole("link", { name: "Disconnect" }).click();
await inspect(olga, "console-disconnect");
await olga.getByRole("link", { name: "Keep it" }).click();
await sees(olga, "second");
await close();
