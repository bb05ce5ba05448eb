// What the script adds to the pages, and what the keyboard alone can do.
import assert from "node:assert/strict";
import { fillIn, given, open, press, sees, until } from "./browser.mjs";

const PASSWORD = "a walk by the river";

const { person, close } = await open();
const page = await person({ permissions: ["clipboard-read", "clipboard-write"] });
const at = (path) => page.goto(given.url + path);
const focused = () => page.evaluate(() => document.activeElement.textContent.trim() || document.activeElement.id);

// ---- A typed password can be shown.
await at("/signin");
await fillIn(page, { "Email or username": "ada-l", Password: "not this one" });
await press(page, "Show password");
assert.equal(await page.getByLabel("Password", { exact: true }).getAttribute("type"), "text");
await press(page, "Hide password");

// ---- An error moves the focus to its message.
await press(page, "Sign in");
await page.getByRole("alert").waitFor();
assert.match(await focused(), /wrong/);
await fillIn(page, { "Email or username": "ada-l", Password: PASSWORD });
await page.keyboard.press("Enter");
await sees(page, "Profile");

// ---- The keyboard: past the sidebar in one step, and along the form in its order.
await page.keyboard.press("Tab");
assert.equal(await focused(), "Skip to content");
await page.keyboard.press("Enter");
// The jump happens after the key press. A Tab before it would start from the link.
await until("the jump past the sidebar", () => page.evaluate(() => document.activeElement.id === "main"));
await page.keyboard.press("Tab");
assert.equal(await focused(), "display_name");
const links = ["github", "linkedin", "x", "youtube", "scholar", "discord", "website"].map((name) => `link_${name}`);
for (const stop of ["username", "company", "use_case", "bio", ...links]) {
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.id || document.activeElement.textContent.trim()), stop);
}
await page.keyboard.press("Tab");
const ring = await page.evaluate(() => getComputedStyle(document.activeElement).boxShadow);
assert.notEqual(ring, "none", "the element with the focus does not show it");

// ---- Presets select the scopes, and the footer of the form lists them.
await at("/settings/keys?create=1");
await press(page, "Read only");
assert.ok(await page.getByLabel("read", { exact: true }).isChecked());
await page.getByText("This key may: read.").waitFor();
await page.getByLabel("models:write", { exact: true }).check();
await page.getByText("This key may: read, models:write.").waitFor();
// What a bundle includes is shown as ticked, and comes back as it was.
assert.ok(await page.getByLabel("usage:read", { exact: true }).isChecked());
assert.ok(await page.getByLabel("Usage: none").isDisabled());
await page.getByLabel("read", { exact: true }).uncheck();
assert.ok(await page.getByLabel("Usage: none").isChecked());
assert.ok(await page.getByLabel("models:write", { exact: true }).isChecked());
await press(page, "Clear");
assert.equal(await page.getByRole("checkbox", { checked: true }).count(), 0);
await press(page, "Read only");

// ---- A key that never ends is warned of.
const warning = page.getByText("An expiration is safer.");
assert.ok(!(await warning.isVisible()));
await page.getByLabel("Expiration").selectOption("never");
await warning.waitFor();

// ---- A double click creates one key, and the shown command works as it is.
await fillIn(page, { Name: "twice" });
await page.getByRole("button", { name: "Create key" }).dblclick();
const key = (await page.locator("output#new-key").innerText()).trim();
await press(page, "Copy");
assert.equal(await page.evaluate(() => navigator.clipboard.readText()), key);
await page.getByText("Copied").first().waitFor();
await press(page, "Copy the command");
const command = await page.evaluate(() => navigator.clipboard.readText());
const [, header, url] = /^curl -H "Authorization: (.+)" (\S+)$/.exec(command);
assert.equal((await fetch(url, { headers: { Authorization: header } })).status, 200);
// A reload and the switch of the theme keep it.
await page.reload();
assert.equal((await page.locator("output#new-key").innerText()).trim(), key);
await press(page, "Dark");
await page.locator("html[data-theme=dark]").waitFor();
assert.equal((await page.locator("output#new-key").innerText()).trim(), key);
await at("/settings/keys");
assert.equal(await page.locator("html").getAttribute("data-theme"), "dark");
assert.equal(await page.getByRole("row", { name: /twice/ }).count(), 1);

// ---- The theme changes while a form is being filled in. `?` lists the keys, and `/` moves to the search.
await at("/settings/keys?create=1");
await fillIn(page, { Name: "half a" });
await page.keyboard.press("?");
assert.equal(await page.getByLabel("Name").inputValue(), "half a?");
await press(page, "Light");
assert.equal(await page.locator("html").getAttribute("data-theme"), "light");
assert.equal(await page.getByLabel("Name").inputValue(), "half a?");
await page.getByRole("heading", { name: "API keys" }).click();
await page.keyboard.press("?");
await page.getByRole("dialog", { name: "Keyboard" }).waitFor();
await page.keyboard.press("Escape");
await page.keyboard.press("/");
await until("the search to have the focus", () => page.evaluate(() => document.activeElement.type === "search"));

// ---- What happened is announced, and can be dismissed.
await at("/settings/security");
await page.getByRole("button", { name: "Change password" }).waitFor();
await fillIn(page, { "New password": "a long walk by the river" });
await press(page, "Change password");
const said = page.getByRole("status").filter({ hasText: "Your password is changed." });
await said.waitFor();
await page.locator("[data-announcer]", { hasText: "Your password is changed." }).waitFor({ state: "attached" });
await press(page, "Dismiss");
assert.equal(await said.count(), 0);

// ---- The progress of an export appears without a reload, so typed text stays.
await at("/settings/privacy");
await fillIn(page, { Passphrase: "seven grey herons" });
await press(page, "Export all data");
await page.getByText("Your exports").waitFor();
await fillIn(page, { Recipient: "half a sentence" });
await page.getByRole("button", { name: "Download export" }).waitFor();
assert.equal(await page.getByLabel("Recipient").inputValue(), "half a sentence");
const download = page.getByRole("button", { name: "Download export" });
await Promise.all([page.waitForEvent("download"), download.click()]);
await until("the button to be ready again", async () => (await download.getAttribute("aria-busy")) !== "true");

await close();
