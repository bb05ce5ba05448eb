// A person without a mouse: everything is reached with the Tab key, in the order of the page, and found by the name that a
// screen reader says. Ada signs up, sets up two-step sign-in, comes in with two factors, and ends a session elsewhere.
import assert from "node:assert/strict";
import { given, inspect, open, sees } from "./browser.mjs";
import { codeAt, mailTo } from "./parties.mjs";

const EMAIL = "ada@example.org";
const PASSWORD = "correct horse, no battery";
// More stops than any page on this way has.
const STOPS_MAX = 80;

const { person, close } = await open();

const hasFocus = (locator) => locator.evaluateAll((found) => found.includes(document.activeElement));

// Whoever walks with the keyboard must see where they stand.
const showsWhereItIs = (page) =>
  page.evaluate(() => {
    const it = document.activeElement;
    const { boxShadow, outlineStyle } = getComputedStyle(it);
    return it === document.body || boxShadow !== "none" || outlineStyle !== "none" ? "" : it.outerHTML;
  });

/** Presses Tab until the focus is there; a field that has it already is reached. */
const reach = async (page, locator) => {
  await locator.first().waitFor();
  for (let stops = 0; !(await hasFocus(locator)); stops++) {
    assert.ok(stops < STOPS_MAX, `the Tab key does not lead to ${locator}`);
    await page.keyboard.press("Tab");
    assert.equal(await showsWhereItIs(page), "", "the focus cannot be seen");
  }
};

const into = async (page, label, text) => {
  await reach(page, page.getByLabel(label, { exact: true }));
  await page.keyboard.type(text);
};

const use = async (page, role, name, key = "Enter") => {
  await reach(page, page.getByRole(role, { name, exact: typeof name === "string" }));
  await page.keyboard.press(key);
};

const firstStep = async (page) => {
  await into(page, "Email or username", EMAIL);
  await into(page, "Password", PASSWORD);
  await page.keyboard.press("Enter");
  await sees(page, "Two-step sign-in");
};

// Without motion: the ring around what has the focus is there at once.
const walker = () => person({ reducedMotion: "reduce" });

// ---- She signs up; the code comes by mail.
const desk = await walker();
await desk.goto(given.url);
await use(desk, "link", "Create your account");
await sees(desk, "Create your account");
await into(desk, "Email", EMAIL);
await into(desk, "Username", "ada-l");
await into(desk, "Password", PASSWORD);
await use(desk, "button", "Create account");
await sees(desk, "Check your email");
await into(desk, "Code", /\b\d{6}\b/.exec((await mailTo(EMAIL, /code/)).text)[0]);
await desk.keyboard.press("Enter");
await sees(desk, "Profile");

// ---- She sets up the app. Whoever cannot scan the picture types the secret.
await use(desk, "link", "Security");
await sees(desk, "Security");
await use(desk, "button", "Set up an app", "Space");
await sees(desk, "Set up an authenticator app");
const secret = (await desk.locator("#totp-secret").innerText()).replace(/\s/g, "");
await into(desk, "Code", codeAt(secret));
await desk.keyboard.press("Enter");
await sees(desk, "Recovery codes");
const [recovery] = (await desk.locator("#recovery-codes").innerText()).trim().split(/\s+/);
await use(desk, "checkbox", "I have saved them", "Space");
await use(desk, "button", "Done");
await sees(desk, "Security");
await mailTo(EMAIL, /Two-step sign-in is on/);

// ---- She signs out, and comes in with two factors: a code here, a recovery code elsewhere.
await use(desk, "button", "Sign out");
await sees(desk, "Sign in");
await firstStep(desk);
await into(desk, "Code", codeAt(secret, 30));
await desk.keyboard.press("Enter");
await sees(desk, "Profile");

const library = await walker();
await library.goto(`${given.url}/signin`);
await firstStep(library);
await use(library, "button", "Use a recovery code");
await into(library, "Recovery code", recovery);
await library.keyboard.press("Enter");
await sees(library, "Profile");
await mailTo(EMAIL, /recovery code/i);

// ---- She ends the session that she left open there.
await use(desk, "link", "Security");
await sees(desk, "Security");
await desk.getByText(/Password \+ authenticator app/).waitFor();
await desk.getByText(/Password \+ recovery code/).waitFor();
await inspect(desk, "security-two-sessions");
await use(desk, "button", /^Sign out Chrome on Linux/);
await desk.getByRole("status").filter({ hasText: "That device is signed out." }).waitFor();
await library.reload();
await sees(library, "Sign in");
await desk.reload();
await sees(desk, "Security");
assert.equal(await desk.getByRole("button", { name: /^Sign out Chrome/ }).count(), 0);

await close();
