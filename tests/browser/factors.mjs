// Second factors in the browser: a QR code that a scanner program reads, codes of another program, and the virtual
// authenticator of Chromium for passkeys. Every page on the way is inspected.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { fillIn, given, inspect, open, press, sees } from "./browser.mjs";
import { codeAt } from "./parties.mjs";

const PASSWORD = "a walk by the river";
const { person, close } = await open();

const signIn = async (page, name) => {
  await page.goto(`${given.url}/signin`);
  await fillIn(page, { "Email or username": name, Password: PASSWORD });
  await press(page, "Sign in");
};

/** Adds a device with a fingerprint reader to the browser of the page. */
const addDevice = async (page) => {
  // The simulated device answers at once, also where a person would have to choose the passkey in the name field. So the
  // page offers it there only when the story wants it.
  await page.addInitScript(() => {
    if (!localStorage.getItem("offers-passkeys")) window.PublicKeyCredential.isConditionalMediationAvailable = undefined;
  });
  const cdp = await page.context().newCDPSession(page);
  await cdp.send("WebAuthn.enable");
  const { authenticatorId } = await cdp.send("WebAuthn.addVirtualAuthenticator", {
    options: {
      protocol: "ctap2", transport: "internal", hasResidentKey: true, hasUserVerification: true, isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  });
  const credentials = async () => (await cdp.send("WebAuthn.getCredentials", { authenticatorId })).credentials;
  const verify = (isUserVerified) => cdp.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified });
  return { credentials, verify };
};

// ---- An authenticator app, set up with its QR code.
const ada = await person();
await signIn(ada, "ada-l");
await sees(ada, "Profile");
await ada.goto(`${given.url}/settings/security`);
await inspect(ada, "security-no-factor");
await press(ada, "Set up an app");
await sees(ada, "Set up an authenticator app");
await inspect(ada, "totp");

// In dark mode too, the quiet zone must stay white, or cameras do not find the code.
const secret = (await ada.locator("#totp-secret").innerText()).replace(/\s/g, "");
for (const colorScheme of ["light", "dark"]) {
  await ada.emulateMedia({ colorScheme });
  const picture = path.join(given.folder, `qr-${colorScheme}.png`);
  await ada.getByRole("img", { name: /QR code/ }).screenshot({ path: picture });
  const text = execFileSync("zbarimg", ["-q", "--raw", picture], { encoding: "utf8" }).trim();
  const uri = new URL(text);
  assert.equal(uri.protocol, "otpauth:");
  assert.equal(uri.searchParams.get("secret"), secret);
  assert.match(decodeURIComponent(uri.pathname), /Domicile localhost \d+:ada-l$/);
}
await ada.emulateMedia({ colorScheme: "light" });

await fillIn(ada, { Code: "000000" });
await ada.keyboard.press("Enter");
await ada.getByRole("alert").waitFor();
await inspect(ada, "totp-wrong");
await fillIn(ada, { Code: codeAt(secret) });
await ada.keyboard.press("Enter");
await sees(ada, "Recovery codes");
await inspect(ada, "recovery-codes");
const codes = (await ada.locator("#recovery-codes").innerText()).trim().split(/\s+/);
assert.equal(codes.length, 10);
for (const code of codes) assert.match(code, /^([0-9a-hjkmnp-tv-z]{5}-){2}[0-9a-hjkmnp-tv-z]{5}$/);
const [download] = await Promise.all([ada.waitForEvent("download"), ada.getByRole("link", { name: "Download .txt" }).click()]);
assert.equal(download.suggestedFilename(), "Domicile recovery codes.txt");
const file = path.join(given.folder, "codes.txt");
await download.saveAs(file);
const saved = fs.readFileSync(file, "utf8");
for (const code of codes) assert.ok(saved.includes(code), saved);
assert.match(saved, /^Recovery codes of Domicile \(/);
// The printed page shows only the codes and a title.
await ada.emulateMedia({ media: "print" });
assert.ok(await ada.locator("#recovery-codes").isVisible());
assert.ok(!(await ada.getByRole("button", { name: "Print" }).isVisible()));
await ada.emulateMedia({ media: "screen" });
// The page does not close before the box is checked.
await press(ada, "Done");
await sees(ada, "Recovery codes");
await ada.getByLabel("I have saved them").check();
await press(ada, "Done");
await sees(ada, "Security");
await ada.getByText("10 left").waitFor();
await inspect(ada, "security-with-app");

// ---- The second step, from another device, with a wrong code, the right one, and a recovery code.
const phone = await person();
await signIn(phone, "ada-l");
await sees(phone, "Two-step sign-in");
await inspect(phone, "factor");
await fillIn(phone, { Code: "000000" });
await press(phone, "Verify");
await phone.getByRole("alert").waitFor();
await inspect(phone, "factor-wrong");
const second = codeAt(secret, 30);
await fillIn(phone, { Code: `${second.slice(0, 3)} ${second.slice(3)}` });
await press(phone, "Verify");
await sees(phone, "Profile");
await phone.context().close();

const plain = await person({ javaScriptEnabled: false });
await signIn(plain, "ada-l");
await press(plain, "Use a recovery code");
assert.equal(await plain.getByRole("button", { name: "Use a passkey" }).count(), 0);
await fillIn(plain, { "Recovery code": codes[0].toUpperCase() });
await press(plain, "Verify");
await sees(plain, "Profile");
await plain.goto(`${given.url}/settings/security`);
await plain.getByText("9 left").waitFor();
await plain.context().close();

// ---- A passkey: registered, used alone, and used as the second step.
const device = await addDevice(ada);
await ada.goto(`${given.url}/settings/security`);
await ada.getByLabel("Name of the new passkey").fill("Work laptop");
await press(ada, "Add passkey");
await ada.getByRole("status").filter({ hasText: "The passkey was added." }).waitFor();
assert.equal((await device.credentials()).length, 1);
await inspect(ada, "security-with-passkey");
await press(ada, "Add passkey");
await ada.getByText("already has a passkey for your account").waitFor();
await press(ada, "Sign out");
await sees(ada, "Sign in");

await press(ada, "Use a passkey");
await sees(ada, "Profile");
await press(ada, "Sign out");
await signIn(ada, "ada-l");
await sees(ada, "Two-step sign-in");
await inspect(ada, "factor-with-passkey");
await press(ada, "Use a passkey");
await sees(ada, "Profile");

// ---- A person who is not verified by the device cannot sign in, and the page says so.
await press(ada, "Sign out");
await device.verify(false);
await press(ada, "Use a passkey");
await ada.getByText("No passkey was used").waitFor();
await inspect(ada, "signin-no-passkey");
await device.verify(true);
await press(ada, "Use a passkey");
await sees(ada, "Profile");

// ---- The name field of the sign-in page offers passkeys.
await ada.evaluate(() => localStorage.setItem("offers-passkeys", "yes"));
await press(ada, "Sign out");
await sees(ada, "Profile");
await ada.evaluate(() => localStorage.removeItem("offers-passkeys"));

// ---- Step-up by passkey: the interrupted form is submitted.
await ada.goto(`${given.url}/settings/keys?create=1`);
await fillIn(ada, { Name: "telescope" });
await ada.getByLabel("read", { exact: true }).check();
fs.writeFileSync(given.clock, "+601s");
await press(ada, "Create key");
await sees(ada, "Confirm that it is you");
await inspect(ada, "step-up-factors");
await press(ada, "Use a passkey");
await ada.locator("output#new-key").waitFor();

// ---- Renamed and removed.
await ada.goto(`${given.url}/settings/security`);
await ada.getByRole("link", { name: "Edit Work laptop" }).click();
await sees(ada, "Work laptop");
await inspect(ada, "passkey");
await fillIn(ada, { Name: "Old laptop" });
await press(ada, "Save");
await ada.getByText("Old laptop").first().waitFor();
await ada.getByRole("link", { name: "Edit Old laptop" }).click();
await press(ada, "Remove");
await ada.getByRole("status").filter({ hasText: "The second factor was removed" }).waitFor();
assert.equal(await ada.getByText("Old laptop").count(), 0);
await ada.getByRole("link", { name: "Remove" }).click();
await sees(ada, "Remove the authenticator app?");
await inspect(ada, "totp-remove");

// ---- A lost factor: the wait begins, and the owner stops it.
const lost = await person();
await signIn(lost, "ada-l");
await lost.getByText("I have lost my second factor").click();
await inspect(lost, "factor-lost");
await press(lost, "Remove my second factors in 72 hours");
await lost.getByText(/will be removed on/).waitFor();
await inspect(lost, "factor-lost-waiting");
await ada.goto(`${given.url}/settings/security`);
await ada.getByText(/will be removed on/).waitFor();
await inspect(ada, "security-reset-waits");
await press(ada, "Stop the removal");
await ada.getByRole("status").filter({ hasText: "were not changed" }).waitFor();

// ---- An operator must set up a factor before other pages open.
const olga = await person();
await signIn(olga, "olga-o");
await sees(olga, "Security");
await inspect(olga, "security-owed");
await olga.goto(`${given.url}/settings/keys`);
await sees(olga, "Security");
const olgas = await addDevice(olga);
await press(olga, "Add passkey");
await sees(olga, "Recovery codes");
assert.equal((await olgas.credentials()).length, 1);
await olga.goto(`${given.url}/settings/keys`);
await sees(olga, "API keys");

await close();
