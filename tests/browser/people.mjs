// The Profile page: with and without the script, with the keyboard alone, in every state.
import assert from "node:assert/strict";
import { fillIn, given, inspect, open, press, sees, until } from "./browser.mjs";

const PASSWORD = "a walk by the river";
const WORK = "a.rather.long.address.of.ada.lovelace@analytical-engines.example.org";

const { person, close } = await open();
const page = await person();
const at = (path) => page.goto(given.url + path);

// The newest mail to an address whose subject matches, from the page of the demonstration.
const mailTo = async (address, subject) => {
  const reader = await person();
  const article = await until(`a mail to ${address} about ${subject}`, async () => {
    await reader.goto(`${given.url}/demo/mail`);
    const found = reader.getByRole("article")
      .filter({ has: reader.getByRole("heading", { name: subject }) }).filter({ hasText: address }).first();
    return (await found.count()) && found.innerText();
  });
  await reader.context().close();
  return article;
};

const signIn = async (who, javaScriptEnabled = true) => {
  const other = await person({ javaScriptEnabled });
  await other.goto(`${given.url}/signin`);
  await fillIn(other, { "Email or username": who, Password: PASSWORD });
  await press(other, "Sign in");
  await sees(other, "Profile");
  return other;
};

const card = (where, name) => where.getByRole("region", { name, exact: true });

// ---- a taken username is reported while it is typed, with a free one as a suggestion
await at("/signup");
const name = page.getByLabel("Username", { exact: true });
await name.pressSequentially("ada-l");
const status = page.getByRole("status");
await status.filter({ hasText: "taken" }).waitFor();
await inspect(page, "people-signup-taken");
await page.getByRole("button", { name: /^Use ada-l-/ }).click();
await status.filter({ hasText: "is available" }).waitFor();
assert.match(await name.inputValue(), /^ada-l-\d$/);
await name.fill("adrnin");
await status.filter({ hasText: "looks too similar to a reserved one" }).waitFor();

// ---- the forms save automatically
await at("/signin");
await fillIn(page, { "Email or username": "ada-l", Password: PASSWORD });
await press(page, "Sign in");
await sees(page, "Profile");
await inspect(page, "people-profile");
const about = card(page, "About you");
const state = about.locator("[data-state]");
await about.getByLabel("Company").pressSequentially("Analytical Engines");
await state.filter({ hasText: /^Saved$/ }).waitFor();
await about.getByLabel("Display name").fill("Ada, Countess of Lovelace");
await state.filter({ hasText: /^Saved$/ }).waitFor();
await page.locator(".who").getByText("Ada, Countess of Lovelace").waitFor();
await about.getByLabel("Primary use case").selectOption("Research & Academia");
await state.filter({ hasText: /^Saved$/ }).waitFor();
// A short bio is no error while it is typed, but it is one when the field loses the focus.
await about.getByLabel("Bio").pressSequentially("short");
await state.filter({ hasText: "Not saved yet" }).waitFor();
assert.equal(await about.getByRole("alert").count(), 0);
await about.getByLabel("GitHub").focus();
await about.getByRole("alert").filter({ hasText: "Write 10 to 500" }).waitFor();
assert.equal(await about.getByLabel("Bio").getAttribute("aria-invalid"), "true");
await inspect(page, "people-bio-short");
await about.getByLabel("Bio").fill("I build engines out of brass, and write what they are to do.");
await about.getByLabel("GitHub").fill("https://github.com/ada-l");
await about.getByLabel("Website").fill("ada.example/notes");
await page.getByRole("heading", { name: "Profile" }).click();
await state.filter({ hasText: /^Saved$/ }).waitFor();
assert.equal(await about.getByRole("alert").count(), 0);
await page.reload();
assert.equal(await about.getByLabel("GitHub").inputValue(), "ada-l");
assert.equal(await about.getByLabel("Website").inputValue(), "https://ada.example/notes");
assert.equal(await about.getByLabel("Company").inputValue(), "Analytical Engines");

// ---- preferences apply at once, and in another browser
await page.getByRole("link", { name: "Appearance" }).click();
const preferences = card(page, "Theme and time zone");
await preferences.waitFor();
await inspect(page, "people-appearance");
await preferences.getByLabel("Theme").selectOption("Dark");
await preferences.locator("[data-state]").filter({ hasText: /^Saved$/ }).waitFor();
assert.equal(await page.locator("html").getAttribute("data-theme"), "dark");
assert.equal(await page.getByRole("button", { name: "Dark", exact: true }).getAttribute("aria-pressed"), "true");
await preferences.getByLabel("Time zone").selectOption({ label: "Tokyo" });
await preferences.locator("[data-state]").filter({ hasText: /^Saved$/ }).waitFor();
const plain = await signIn("ada-l", false);
assert.equal(await plain.locator("html").getAttribute("data-theme"), "dark");
await plain.goto(`${given.url}/activity`);
await plain.locator('time[title$=" JST"]').locator("visible=true").first().waitFor();
await preferences.getByLabel("Theme").selectOption("Same as the system");
await preferences.locator("[data-state]").filter({ hasText: /^Saved$/ }).waitFor();

// ---- mails that protect the account cannot be turned off
await page.getByRole("link", { name: "Notifications" }).click();
await sees(page, "Notifications");
await inspect(page, "people-notifications");
const mails = card(page, "Emails from us");
assert.equal(await mails.getByText("Required", { exact: true }).count(), 3);
await mails.getByLabel("Usage").uncheck();
await mails.locator("[data-state]").filter({ hasText: /^Saved$/ }).waitFor();
await page.reload();
assert.equal(await mails.getByLabel("Usage").isChecked(), false);
assert.equal(await mails.getByLabel("Key reminders").isChecked(), true);

// ---- without the script, and with the keyboard alone
await plain.goto(`${given.url}/settings/profile`);
await fillIn(plain, { Company: "" });
await card(plain, "About you").getByRole("button", { name: "Save", exact: true }).click();
await plain.getByRole("status").filter({ hasText: "Saved." }).waitFor();
assert.equal(await plain.getByLabel("Company").inputValue(), "");

await plain.goto(`${given.url}/settings/profile/appearance`);
await plain.getByLabel("Time zone", { exact: true }).selectOption({ label: "Berlin" });
await press(plain, "Save");
await plain.getByRole("status").filter({ hasText: "Saved." }).waitFor();

const tabTo = async (label) => {
  for (let steps = 0; steps < 60; steps++) {
    await page.keyboard.press("Tab");
    const here = await page.evaluate(() => {
      const it = document.activeElement;
      return (it.labels?.[0] ?? it).textContent.trim();
    });
    if (here === label) return;
  }
  assert.fail(`the keyboard does not reach ${label}`);
};

// ---- pictures
await at("/settings/profile");
const picture = card(page, "Picture");
// A new account has a colour by chance.
const colour = (await picture.getByLabel("Plum").isChecked()) ? "Rose" : "Plum";
await picture.getByLabel(colour).check();
await picture.getByRole("status").filter({ hasText: /^Saved$/ }).waitFor();
const named = new RegExp(`\\b${colour.toLowerCase()}\\b`);
assert.match(await picture.locator(".face").getAttribute("class"), named, "the initials have the new colour at once");
assert.match(await page.locator(".who .initial").getAttribute("class"), named);
await inspect(page, "people-colour");
const upload = (name, mimeType, buffer) =>
  picture.getByLabel("Choose a picture").setInputFiles({ name, mimeType, buffer });
await upload("me.svg", "image/svg+xml", Buffer.from("<svg xmlns='http://www.w3.org/2000/svg'/>"));
await press(page, "Upload picture");
await picture.getByRole("alert").filter({ hasText: "not a PNG, JPEG or WebP" }).waitFor();
await inspect(page, "people-picture-wrong");
const png = await page.evaluate(() => {
  const canvas = Object.assign(document.createElement("canvas"), { width: 640, height: 480 });
  const brush = canvas.getContext("2d");
  const sky = brush.createLinearGradient(0, 0, 0, 480);
  sky.addColorStop(0, "#4a7fb5");
  sky.addColorStop(1, "#f2d8a7");
  brush.fillStyle = sky;
  brush.fillRect(0, 0, 640, 480);
  brush.fillStyle = "#2f4f3a";
  brush.beginPath();
  brush.arc(320, 560, 260, 0, 7);
  brush.fill();
  return canvas.toDataURL("image/png").split(",")[1];
});
await upload("me.png", "image/png", Buffer.from(png, "base64"));
const preview = picture.getByRole("application", { name: /^Preview/ });
await preview.waitFor();
await picture.getByLabel("Size").fill("2");
await preview.press("ArrowDown");
await inspect(page, "people-picture-crop");
await press(page, "Upload picture");
await page.getByRole("status").filter({ hasText: "Your picture is saved." }).waitFor();
for (const shown of [picture.getByRole("img", { name: "Your picture" }), page.locator(".who img")]) {
  assert.ok(await shown.evaluate((image) => image.complete && image.naturalWidth > 0), "the picture is shown");
}
await inspect(page, "people-picture");

// ---- addresses, with the keyboard
await at("/settings/profile/emails");
const emails = card(page, "Your addresses");
await page.getByRole("heading", { name: "Emails", exact: true }).click();
await tabTo("Email");
await page.keyboard.type(WORK);
await page.keyboard.press("Enter");
await emails.getByText("Unverified").waitFor();
await emails.getByRole("status").filter({ hasText: "A code is on its way to this address" }).waitFor();
await until("the field for the code to have the focus", () => page.evaluate(() => document.activeElement.name === "code"));
await inspect(page, "people-email-added");
const code = /\b\d{6}\b/.exec(await mailTo(WORK, /Your code for Domicile/))[0];
await emails.getByLabel("Code").fill("000000");
await emails.getByRole("button", { name: "Verify", exact: true }).click();
await emails.getByRole("alert").waitFor();
assert.equal(await page.evaluate(() => document.activeElement.name), "code", "the field with the error has the focus");
await inspect(page, "people-code-wrong");
await press(page, "Resend code");
await page.getByRole("alert").filter({ hasText: "No new code was sent" }).waitFor();
await inspect(page, "people-code-too-soon");
await emails.getByLabel("Code").fill(code);
await page.keyboard.press("Enter");
await page.getByRole("status").filter({ hasText: "The address is verified" }).waitFor();
assert.equal(await emails.getByText("Company", { exact: true }).count(), 2);
await inspect(page, "people-email-verified");
await press(page, "Set as primary");
await page.getByRole("status").filter({ hasText: "Your primary address is changed" }).waitFor();
await emails.getByText("can undo the change").waitFor();
await inspect(page, "people-email-primary");

// ---- reverting the change, in a browser without a session and without scripts
const link = /https?:\S+\/revert\S+/.exec(await mailTo("ada@example.org", "Your primary address was changed"))[0];
const watcher = await person();
await watcher.goto(link);
await watcher.getByRole("button", { name: "Restore my address" }).waitFor();
await inspect(watcher, "people-revert");
const owner = await person({ javaScriptEnabled: false });
await owner.goto(link);
await press(owner, "Restore my address");
await owner.getByRole("status").filter({ hasText: "is the primary address again" }).waitFor();
await page.reload();
await sees(page, "Sign in");
await press(watcher, "Restore my address");
await watcher.getByRole("alert").filter({ hasText: "already used" }).waitFor();
await watcher.goto(link);
await watcher.getByRole("alert").filter({ hasText: "already used" }).waitFor();
await inspect(watcher, "people-revert-used");

await close();
