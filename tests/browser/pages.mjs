// Visits every page in its states and inspects each.
import assert from "node:assert/strict";
import { fillIn, given, inspect, open, press, sees, until } from "./browser.mjs";

const PASSWORD = "a walk by the river";
const EMAIL = "a-rather-long-address-of-somebody@mail.example.org";
const LONG_NAME = "nightly-retraining-of-every-model-in-the-north-warehouse-eu-west";

given.everyState = true;
const { person, close } = await open();
const page = await person();
const at = (path) => page.goto(given.url + path);

// The newest mail whose subject matches, from the page of the demonstration.
const mailAbout = async (subject) => {
  const reader = await person();
  const article = await until(`a mail about ${subject}`, async () => {
    await reader.goto(`${given.url}/demo/mail`);
    const found = reader.getByRole("article").filter({ has: reader.getByRole("heading", { name: subject }) }).first();
    return (await found.count()) && found.innerText();
  });
  await reader.context().close();
  return article;
};

// ---- anonymous visitors
await at("/signup");
await inspect(page, "signup");
await fillIn(page, { Email: EMAIL, Username: "ada-l", Password: PASSWORD });
await press(page, "Create account");
await page.getByRole("alert").waitFor();
await inspect(page, "signup-taken");
await fillIn(page, { Username: "night-gardener-of-hillside-lab-1", Password: "password-password" });
await press(page, "Create account");
await page.getByRole("alert").waitFor();
await inspect(page, "signup-common-password");
await fillIn(page, { Password: PASSWORD });
await press(page, "Create account");
await sees(page, "Check your email");
await inspect(page, "verify");
await fillIn(page, { Code: "000000" });
await press(page, "Verify");
await page.getByRole("alert").waitFor();
await inspect(page, "verify-wrong");
await press(page, "Resend code");
// The first code is seconds old, so the page says when the next one can be had.
await page.getByText("No new code was sent").waitFor();
await inspect(page, "verify-resent");
const code = /\b\d{6}\b/.exec(await mailAbout(/Your code for Domicile/))[0];
await fillIn(page, { Code: code });
await press(page, "Verify");
await sees(page, "Profile");
await inspect(page, "profile-welcome");

// ---- an empty account
await at("/settings/keys");
await inspect(page, "keys-empty");
await at("/settings/billing");
await inspect(page, "billing-new");
await page.getByLabel("From").fill("2020-01-01");
await page.getByLabel("To").fill("2020-01-02");
await press(page, "Show");
await inspect(page, "billing-no-lines");
await at("/settings/privacy");
await inspect(page, "privacy-empty");
await at("/settings/security");
await inspect(page, "security");
await fillIn(page, { "New password": "password-password" });
await press(page, "Change password");
await page.getByRole("alert").waitFor();
await inspect(page, "security-common-password");
await at("/step-up?next=/settings/keys");
await inspect(page, "step-up");
await at("/settings/privacy");
await page.getByRole("button", { name: "Sign out", exact: true }).click();
await sees(page, "Sign in");
await inspect(page, "signin-after-signout");
await fillIn(page, { "Email or username": "grace-h", Password: "not my password at all" });
await press(page, "Sign in");
await page.getByRole("alert").waitFor();
await inspect(page, "signin-wrong");

// ---- password reset
await at("/forgot");
await inspect(page, "forgot");
await fillIn(page, { Email: "grace@example.org" });
await press(page, "Send reset link");
await page.getByRole("status").waitFor();
await inspect(page, "forgot-sent");
const link = /https?:\S+\/reset\S+/.exec(await mailAbout("Set your password"))[0];
await page.goto(link);
await inspect(page, "reset");
await fillIn(page, { "New password": "passwordpassword" });
await press(page, "Change password");
await page.getByRole("alert").waitFor();
await inspect(page, "reset-common-password");
await fillIn(page, { "New password": "a sail over the bay" });
await press(page, "Change password");
await sees(page, "Sign in");
await inspect(page, "signin-new-password");
await at("/demo/mail");
await inspect(page, "demo-mail");
await at("/nothing/here");
await inspect(page, "not-found-anonymous");

// ---- an account with data
await at("/signin");
await fillIn(page, { "Email or username": "ada-l", Password: PASSWORD });
await press(page, "Sign in");
await sees(page, "Profile");
await inspect(page, "profile");
await page.getByLabel("Display name").fill("Ada Augusta Byron King, Countess of Lovelace, of Ockham Park");
await page.getByRole("status").filter({ hasText: /^Saved$/ }).waitFor();
await inspect(page, "profile-saved");
await page.getByLabel("Display name").fill("\u200b");
await page.getByLabel("Company").focus();
await page.getByRole("alert").waitFor();
await inspect(page, "profile-wrong");
await at("/settings/keys");
await inspect(page, "keys");
await page.getByRole("link", { name: "Create key" }).click();
await page.getByLabel("Name").waitFor();
await inspect(page, "keys-create");
await fillIn(page, { Name: LONG_NAME });
await press(page, "Create key");
await page.getByRole("alert").waitFor();
await inspect(page, "keys-create-no-scope");
await page.getByLabel("Expiration").selectOption({ label: "No expiration" });
for (const scope of ["training", "models:write", "datasets:write", "billing:read", "usage:read", "account:read"]) {
  await page.getByLabel(scope, { exact: true }).check();
}
await inspect(page, "keys-create-filled");
await press(page, "Create key");
await page.locator("output#new-key").waitFor();
await inspect(page, "keys-made");
await at("/settings/keys");
await inspect(page, "keys-two");
await page.getByRole("link", { name: `Revoke ${LONG_NAME}` }).click();
await sees(page, /Revoke/);
await inspect(page, "keys-revoke");
await press(page, "Revoke");
await page.getByRole("status").waitFor();
await inspect(page, "keys-revoked");
await at("/settings/billing");
await inspect(page, "billing");
await at("/settings/privacy");
await fillIn(page, { Recipient: "age1notakey" });
await press(page, "Export all data");
await page.getByRole("alert").waitFor();
await inspect(page, "privacy-wrong");
await fillIn(page, { Recipient: "", Passphrase: "seven grey herons" });
await press(page, "Export all data");
await sees(page, "Privacy");
await inspect(page, "privacy-running");
await page.getByRole("button", { name: "Download export" }).waitFor();
await inspect(page, "privacy-ready");
await page.getByRole("link", { name: "Delete account" }).click();
await sees(page, "Delete your account");
await inspect(page, "delete");
await fillIn(page, { "Type DELETE to confirm": "DELETE", Password: "not my password at all" });
await press(page, "Delete my account");
await page.getByRole("alert").waitFor();
await inspect(page, "delete-wrong-password");
await at("/activity");
await inspect(page, "activity");
await page.getByLabel("Search").fill("created");
await press(page, "Show");
await page.getByText("API key created").first().waitFor();
await inspect(page, "activity-found");
await at("/activity?q=nothing+of+the+kind");
await sees(page, "Activity");
await inspect(page, "activity-nothing");
await at("/nothing/here");
await inspect(page, "not-found");
await at("/settings/privacy/delete");
await fillIn(page, { "Type DELETE to confirm": "DELETE", Password: PASSWORD });
await press(page, "Delete my account");
await sees(page, "Your account is deleted");
await inspect(page, "deleted");

await close();
