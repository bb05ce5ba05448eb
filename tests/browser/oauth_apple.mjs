// Apple answers by a form from its own site, to which a browser adds none of our cookies: only a real one shows whether
// the way holds. The provider here is on another name of this machine, which to a browser is another site.
import assert from "node:assert/strict";
import { fillIn, given, open, press, sees } from "./browser.mjs";

const { person, close } = await open();
const page = await person();
const posts = [];
page.on("request", (request) => {
  if (request.method() === "POST" && request.url().endsWith("/oauth/apple/callback")) posts.push(request);
});

await page.goto(`${given.url}/signin?next=/settings/keys`);
await page.getByRole("link", { name: "Continue with Apple", exact: true }).click();
await page.getByRole("button", { name: /ann@icloud\.com/ }).click();
await sees(page, "Create your account");
assert.equal(posts.length, 1);
const { cookie = "" } = await posts[0].allHeaders();
assert.ok(!cookie.includes("domicile-"), `the form came with ${cookie}: the test is not across sites`);
await fillIn(page, { Username: "ann-apple" });
await press(page, "Create account");
await sees(page, "API keys");

await press(page, "Sign out");
await page.getByRole("link", { name: "Continue with Apple", exact: true }).click();
await page.getByRole("button", { name: /ann@icloud\.com/ }).click();
await sees(page, "Profile");
assert.equal(await page.getByLabel("Display name", { exact: true }).inputValue(), "Ann Apple");

await close();
