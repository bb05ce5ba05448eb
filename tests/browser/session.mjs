// A session that is about to end, and a sign-in of a thief. The test moves the clock of the server and of the page, so
// that it does not wait.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { fillIn, given, inspect, open, press, sees, until } from "./browser.mjs";

const PASSWORD = "a walk by the river";
const MINUTE = 60;
const { person, close } = await open();

let ahead = 0;
/** Moves the clock of the server, and of every window of the browser of `page`. */
const pass = async (seconds, page) => {
  ahead += seconds;
  fs.writeFileSync(`${given.clock}.next`, `+${ahead}s`);
  fs.renameSync(`${given.clock}.next`, given.clock);
  if (page) await page.clock.fastForward(seconds * 1000);
};

const signIn = async (page, name) => {
  await page.goto(`${given.url}/signin`);
  await fillIn(page, { "Email or username": name, Password: PASSWORD });
  await press(page, "Sign in");
  await sees(page, "Profile");
};

const questionOf = (page) => page.getByRole("alertdialog", { name: "Are you still there?" });
const focused = (page) => page.evaluate(() => document.activeElement.textContent.trim());

// ---- A minute before the end a dialog asks the person, anywhere on the page. The keyboard is enough to stay signed
// in.
const page = await person();
await page.clock.install();
await signIn(page, "ada-l");
await page.goto(`${given.url}/settings/keys?create=1`);
const question = questionOf(page);
await fillIn(page, { Name: "half a name" });
await pass(28 * MINUTE, page);
assert.ok(!(await question.isVisible()), "two minutes before the end there is no dialog");
await pass(MINUTE + 5, page);
await question.waitFor();
assert.equal(await focused(page), "Stay signed in");
assert.match(await question.innerText(), /you were inactive for a while/);
assert.match(await question.innerText(), /Time left: \d\d seconds/);
assert.equal(await question.getAttribute("aria-describedby"), "session-end-words");
await inspect(page, "session-end");
await page.keyboard.press("Enter");
await question.waitFor({ state: "hidden" });
assert.equal(await page.getByLabel("Name", { exact: true }).inputValue(), "half a name", "typed text stays");
assert.equal(new URL(page.url()).pathname, "/settings/keys");

// ---- The answer in one window counts for the others.
const other = await page.context().newPage();
await other.goto(`${given.url}/settings/profile`);
await pass(29 * MINUTE + 5, page);
await question.waitFor();
await questionOf(other).waitFor();
await press(other, "Stay signed in");
await questionOf(other).waitFor({ state: "hidden" });
await page.clock.fastForward(6000);
await question.waitFor({ state: "hidden" });

// ---- Escape closes the dialog but does not extend the session. The dialog returns shortly before the end, and then
// the sign-in page says why.
await pass(29 * MINUTE + 5, page);
await question.waitFor();
await page.keyboard.press("Escape");
await question.waitFor({ state: "hidden" });
await pass(20, page);
assert.ok(!(await question.isVisible()));
await pass(25, page);
await question.waitFor();
await pass(20, page);
await page.waitForURL(/\/signin\?next=/);
await page.getByRole("status").getByText("because you were inactive for a while").waitFor();
await inspect(page, "session-ended");
await fillIn(page, { "Email or username": "ada-l", Password: PASSWORD });
await press(page, "Sign in");
await sees(page, "API keys");
await other.close();

// ---- The absolute end is announced as final, without a button to stay signed in.
for (let seen = 0; seen < 42; seen += 1) {
  await pass(17 * MINUTE);
  await page.goto(`${given.url}/settings/profile`);
}
const { seconds, final } = await page.evaluate(async () => (await fetch("/session/left")).json());
assert.ok(final && seconds < 7 * MINUTE, `${seconds} ${final}`);
await pass(seconds - 40, page);
const notice = page.getByRole("alertdialog", { name: "Your session ends soon" });
await notice.waitFor();
assert.match(await notice.innerText(), /its maximum length/);
assert.ok(!(await page.getByRole("button", { name: "Stay signed in" }).isVisible()));
assert.equal(await focused(page), "Back to the page", "typing on must not lose anything");
await inspect(page, "session-final");
await page.keyboard.press("Enter");
await notice.waitFor({ state: "hidden" });
await pass(27, page);
await notice.waitFor();
await notice.getByRole("button", { name: "Sign out" }).click();
await page.getByText("You are signed out.").waitFor();

// ---- Without scripts there is no dialog.
const plain = await person({ javaScriptEnabled: false });
await signIn(plain, "ada-l");
assert.ok(!(await questionOf(plain).isVisible()));
await pass(31 * MINUTE);
await plain.goto(`${given.url}/settings/privacy`);
await plain.getByRole("status").getByText("because you were inactive for a while").waitFor();
await fillIn(plain, { "Email or username": "ada-l", Password: PASSWORD });
await press(plain, "Sign in");
await sees(plain, "Privacy");

// ---- A thief signs in. One click in the mail locks the account, without signing in.
const thief = await person();
await signIn(thief, "ada-l");
await thief.goto(`${given.url}/settings/security`);
assert.equal(await thief.getByRole("list").filter({ hasText: "last seen" }).getByRole("listitem").count(), 2);
await inspect(thief, "security-sessions");
const link = await until("the mail about the new device", async () => {
  const messages = fs.readdirSync(given.mail).filter((name) => name.endsWith(".eml")).sort();
  const texts = messages.map((name) => fs.readFileSync(path.join(given.mail, name), "utf8"));
  const decoded = texts.map((text) => text.replaceAll("\r\n", "\n").replaceAll("=\n", "").replaceAll("=3D", "="));
  return decoded.map((text) => /http\S+\/not-me\?token=[\w-]+/.exec(text)?.[0]).filter(Boolean).at(-1);
});
const reader = await person();
await reader.goto(link);
await sees(reader, "Report a sign-in that was not you");
await inspect(reader, "not-me");
await press(reader, "This was not me");
await sees(reader, "Your account is locked");
await inspect(reader, "not-me-done");
await reader.goto(link);
await sees(reader, "This link is no longer valid");
await inspect(reader, "not-me-over");
for (const browser of [thief, plain]) {
  await browser.goto(`${given.url}/settings/keys`);
  await browser.getByRole("status").getByText("your session was ended").waitFor();
}

await close();
