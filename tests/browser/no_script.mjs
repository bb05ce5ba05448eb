// The main forms in a browser without scripts.
import assert from "node:assert/strict";
import { fillIn, given, open, press, sees, until } from "./browser.mjs";

const PASSWORD = "a walk by the river";
const EMAIL = "mary@example.org";

const { person, close } = await open();
const page = await person({ javaScriptEnabled: false });
const at = (path) => page.goto(given.url + path);

// ---- Sign-up, with a wrong code and the right one.
await at("/signup");
await fillIn(page, { Email: EMAIL, Username: "mary-s", Password: PASSWORD });
await press(page, "Create account");
await sees(page, "Check your email");
await fillIn(page, { Code: "000000" });
await press(page, "Verify");
await page.getByRole("alert").waitFor();
const reader = await person({ javaScriptEnabled: false });
const code = await until("the code", async () => {
  await reader.goto(`${given.url}/demo/mail`);
  return /Your code for Domicile[^]*?\b(\d{6})\b/.exec(await reader.getByRole("main").innerText())?.[1];
});
await fillIn(page, { Code: code });
await press(page, "Verify");
await sees(page, "Profile");

// ---- The profile and the theme; no button that needs a script is shown.
await fillIn(page, { "Display name": "Mary Somerville" });
await press(page, "Save");
await page.getByRole("status").waitFor();
assert.equal(await page.getByLabel("Display name").inputValue(), "Mary Somerville");
await press(page, "Dark");
assert.equal(await page.locator("html").getAttribute("data-theme"), "dark");
assert.equal(new URL(page.url()).pathname, "/settings/profile");

// ---- A key is created and revoked.
await at("/settings/keys");
await page.getByRole("link", { name: "Create key" }).click();
await fillIn(page, { Name: "telescope" });
await page.getByLabel("read", { exact: true }).check();
await press(page, "Create key");
assert.match(await page.locator("output#new-key").innerText(), /^dok_/);
assert.equal(await page.getByRole("button", { name: "Copy" }).count(), 0);
await at("/settings/keys");
await page.getByRole("link", { name: "Revoke telescope" }).click();
await press(page, "Revoke");
await page.getByRole("status").waitFor();

// ---- An export: the page reloads until it is ready.
await at("/settings/privacy");
await fillIn(page, { Passphrase: "eleven moons of saturn" });
await press(page, "Export all data");
await page.getByRole("button", { name: "Download export" }).waitFor();
const [download] = await Promise.all([page.waitForEvent("download"), press(page, "Download export")]);
assert.match(download.suggestedFilename(), /\.age$/);

// ---- Sign-out, sign-in, and deletion of the account.
await press(page, "Sign out");
await sees(page, "Sign in");
await fillIn(page, { "Email or username": "mary-s", Password: PASSWORD });
await page.getByLabel("Stay signed in").check();
await press(page, "Sign in");
await sees(page, "Profile");
await at("/settings/privacy/delete");
await fillIn(page, { "Type DELETE to confirm": "DELETE", Password: PASSWORD });
await press(page, "Delete my account");
await sees(page, "Your account is deleted");

await close();
