// Typing passwords: the meter at each field for a new password, paste, and sign-up by invitation and by the link of the
// first operator. Every page is inspected.
import assert from "node:assert/strict";
import { fillIn, given, inspect, open, press, sees, until } from "./browser.mjs";

const STRONG = "the kettle sings before the train leaves";
const LONG = "several words in a row, ".repeat(8).trim();

const { person, close } = await open();
const page = await person({ permissions: ["clipboard-read", "clipboard-write"] });

const meter = (page) => page.locator(".meter");
/** Types a password and waits until the meter shows the expected words. */
const types = async (page, label, password, score, words) => {
  await page.getByLabel(label, { exact: true }).fill(password);
  await page.locator(`.meter[data-score="${score}"]`).getByText(words).waitFor();
};

// ---- A site where sign-up is by invitation.
await page.goto(`${given.url}/signup`);
await sees(page, "Create your account");
await page.getByText("Sign-up is by invitation.").waitFor();
assert.equal(await page.getByLabel("Password", { exact: true }).count(), 0);
await inspect(page, "signup-by-invitation");
await page.goto(`${given.url}/signup?invite=nonsense`);
await page.getByRole("alert").getByText("Ask your operator for a new one.").waitFor();
await inspect(page, "signup-invitation-refused");
await page.goto(given.claim);
await page.getByText("this account will be its operator").waitFor();
await inspect(page, "signup-operator");

// ---- The meter: hidden until something is typed, then with the sentences of the rules.
await page.goto(given.invitation);
await page.getByText("The invitation is for this address.").waitFor();
assert.equal(await page.getByLabel("Email", { exact: true }).inputValue(), "ada-lovelace@example.org");
assert.ok(!(await page.getByLabel("Email", { exact: true }).isEditable()));
assert.ok(!(await meter(page).isVisible()));
await inspect(page, "signup-invited");
await fillIn(page, { Username: "ada-l" });
await types(page, "Password", "fourteen chars", 1, "1 more character. Several words in a row are easy to remember.");
await inspect(page, "meter-short");
await types(page, "Password", "password-password", 1, "This password is too common");
await inspect(page, "meter-known");
await types(page, "Password", "ada-lovelace-1815", 1, "which others know");
await types(page, "Password", "fifteen letters", 2, "Another word would make it good.");
await inspect(page, "meter-fair");
await types(page, "Password", STRONG, 4, "Strong.");
await inspect(page, "meter-strong");
assert.equal(await page.locator(".meter [aria-live=polite]").count(), 1, "screen readers announce it");
await page.getByLabel("Password", { exact: true }).fill("");
await until("the meter to be hidden", async () => !(await meter(page).isVisible()));

// ---- A pasted password is not truncated.
await page.evaluate((text) => navigator.clipboard.writeText(text), LONG);
await page.getByLabel("Password", { exact: true }).focus();
await page.keyboard.press("Control+V");
assert.equal(await page.getByLabel("Password", { exact: true }).inputValue(), LONG);
await press(page, "Create account");
await sees(page, "Profile");

// ---- The same meter on the Security page.
await page.goto(`${given.url}/settings/security`);
await page.getByText("Last changed on").waitFor();
await types(page, "New password", "localhost-localhost", 1, "which others know");
await inspect(page, "security-meter");
await types(page, "New password", STRONG, 4, "Strong.");
await press(page, "Change password");
await page.getByRole("status").getByText("Your password is changed. Your other sessions were signed out.").waitFor();
await inspect(page, "security-password-changed");
const other = await person();
await other.goto(`${given.url}/signin`);
await fillIn(other, { "Email or username": "ada-l", Password: STRONG });
await press(other, "Sign in");
await sees(other, "Profile");

// ---- A reset link that is not valid is refused before anything is typed.
await other.goto(`${given.url}/reset?token=nonsense`);
await other.getByRole("alert").waitFor();
assert.equal(await other.getByLabel("New password", { exact: true }).count(), 0);
await inspect(other, "reset-refused");

await close();
