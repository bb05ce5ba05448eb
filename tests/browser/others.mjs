// The core of the site in Firefox and WebKit: sign up, change the profile, create a key, export, sign out and in. The
// demonstration is http, so this also shows that a browser keeps its cookies there.
import assert from "node:assert/strict";
import { start, until } from "./drivers.mjs";

const given = JSON.parse(process.argv[2]);
const PASSWORD = "a walk by the river";
const { goto, run, close } = await start(given);
const text = JSON.stringify;
const at = (path) => goto(given.url + path);
const sees = (title) =>
  until(`the page ${title}`, () => run(`document.readyState === "complete" && document.querySelector("h1")?.textContent.trim() === ${text(title)}`));
const says = (words) => until(words, () => run(`document.body.innerText.includes(${text(words)})`));
const field = (label) =>
  `[...document.querySelectorAll("label")].find((label) => label.textContent.trim() === ${text(label)}).control`;
const fill = (label, value) =>
  run(`(() => { const it = ${field(label)}; it.focus(); it.value = ${text(value)};
    for (const kind of ["input", "change"]) it.dispatchEvent(new Event(kind, { bubbles: true })); })()`);
const press = (words) =>
  run(`[...document.querySelectorAll("button, a.button")].find((it) => it.innerText.trim() === ${text(words)} && it.checkVisibility()).click()`);

await at("/signup");
await sees("Create your account");
await fill("Email", "robin@example.org");
await fill("Username", "robin-o");
await fill("Password", PASSWORD);
await press("Create account");
await sees("Check your email");
const code = await until("the code", async () => {
  const mails = await (await fetch(`${given.url}/demo/mail`)).text();
  return /robin@example\.org[^]*?\b(\d{6})\b/.exec(mails)?.[1];
});
await fill("Code", code);
await press("Verify");
await sees("Profile");

await fill("Company", "Other Engines");
await until("the profile to be saved", () => run(`document.querySelector("[data-state=about]").textContent === "Saved"`));
await at("/settings/profile");
await until("the saved company", () => run(`${field("Company")}.value === "Other Engines"`));

await at("/settings/keys?create=1");
await sees("API keys");
await fill("Name", "elsewhere");
await run(`${field("account:read")}.click()`);
await press("Create key");
const shown = `document.getElementById("new-key")?.textContent`;
const key = await until("the new key", () => run(shown));
await goto(await run("location.href"));
assert.equal(await until("the key after a reload", () => run(shown)), key);
const answer = await fetch(`${given.url}/api/account/summary`, { headers: { Authorization: `Bearer ${key}` } });
assert.equal((await answer.json()).username, "robin-o");

await at("/settings/privacy");
await fill("Passphrase", "seven grey herons");
await press("Export all data");
await says("Download export");

await press("Sign out");
await sees("Sign in");
await fill("Email or username", "robin-o");
await fill("Password", PASSWORD);
await press("Sign in");
await sees("Profile");
await close();
process.exit(0);
