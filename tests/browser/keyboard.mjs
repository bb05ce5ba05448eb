// A person without a mouse: everything is reachable with the Tab key in the order of the page, and has the name that a
// screen reader announces. Ada signs up, sets up two-step sign-in, signs in with two factors, and ends another session.
import assert from "node:assert/strict";
import { given, inspect, open, sees } from "./browser.mjs";
import { codeAt, mailTo } from "./parties.mjs";

const EMAIL = "ada@example.org";
const PASSWORD = "correct horse, no battery";
// More stops than any of these pages has.
const STOPS_MAX = 80;

const { person, close } = await open();

const hasFocus = (locator) => locator.evaluateAll((elements) => elements.includes(document.activeElement));

// The element with the focus must be visibly marked.
const unmarkedFocus = (page) =>
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
    assert.equal(await unmarkedFocus(page), "", "the focus cannot be seen");
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

// Without motion, so that the focus ring appears at once.
const walker = () => person({ reducedMotion: "reduce" });

// ---- She signs up; the code comes by mail.
const laptop = await walker();
await laptop.goto(given.url);
await use(laptop, "link", "Create your account");
await sees(laptop, "Create your account");
await into(laptop, "Email", EMAIL);
await into(laptop, "Username", "ada-l");
await into(laptop, "Password", PASSWORD);
await use(laptop, "button", "Create account");
await sees(laptop, "Check your email");
await into(laptop, "Code", /\b\d{6}\b/.exec((await mailTo(EMAIL, /code/)).text)[0]);
await laptop.keyboard.press("Enter");
await sees(laptop, "Profile");

// ---- She sets up the app. She types the secret instead of scanning the picture.
await use(laptop, "link", "Security");
await sees(laptop, "Security");
await use(laptop, "button", "Set up an app", "Space");
await sees(laptop, "Set up an authenticator app");
const secret = (await laptop.locator("#totp-secret").innerText()).replace(/\s/g, "");
await into(laptop, "Code", codeAt(secret));
await laptop.keyboard.press("Enter");
await sees(laptop, "Recovery codes");
const [recovery] = (await laptop.locator("#recovery-codes").innerText()).trim().split(/\s+/);
await use(laptop, "checkbox", "I have saved them", "Space");
await use(laptop, "button", "Done");
await sees(laptop, "Security");
await mailTo(EMAIL, /Two-step sign-in is on/);

// ---- She signs out, and signs in with two factors: a code here, a recovery code in another browser.
await use(laptop, "button", "Sign out");
await sees(laptop, "Sign in");
await firstStep(laptop);
await into(laptop, "Code", codeAt(secret, 30));
await laptop.keyboard.press("Enter");
await sees(laptop, "Profile");

const library = await walker();
await library.goto(`${given.url}/signin`);
await firstStep(library);
await use(library, "button", "Use a recovery code");
await into(library, "Recovery code", recovery);
await library.keyboard.press("Enter");
await sees(library, "Profile");
await mailTo(EMAIL, /recovery code/i);

// ---- She ends the session of the other browser.
await use(laptop, "link", "Security");
await sees(laptop, "Security");
await laptop.getByText(/Password \+ authenticator app/).waitFor();
await laptop.getByText(/Password \+ recovery code/).waitFor();
await inspect(laptop, "security-two-sessions");
await use(laptop, "button", /^Sign out Chrome on Linux/);
await laptop.getByRole("status").filter({ hasText: "That device is signed out." }).waitFor();
await library.reload();
await sees(library, "Sign in");
await laptop.reload();
await sees(laptop, "Security");
assert.equal(await laptop.getByRole("button", { name: /^Sign out Chrome/ }).count(), 0);

await close();
