// Opens every page of the table of routes in one browser, at four widths and in both themes: nothing is cut off, lies on
// something else or cannot be read.
import assert from "node:assert/strict";
import path from "node:path";
import { overflow, overlaps, smallFields, unreadable } from "./checks.mjs";
import { start, until } from "./drivers.mjs";

const given = JSON.parse(process.argv[2]);
const WIDTHS = [320, 390, 768, 1280];
const { goto, run, resize, cookies, shot, close } = await start(given);
const complaints = [];
const check = async (look, where, what) =>
  complaints.push(...(await run(`(${look})()`)).map((element) => `${where}: ${what}: ${element}`));

for (const { who, cookies: own, paths } of given.visits) {
  await goto(`${given.url}/help`);
  await cookies(Object.entries(own).map(([name, value]) => ({ name, value, domain: new URL(given.url).hostname, path: "/" })));
  for (const at of paths) {
    await goto(given.url + at);
    await until(`${at} for ${who}`, () => run(`document.readyState === "complete" && Boolean(document.querySelector("h1"))`));
    const here = new URL(await run("location.href"));
    if (here.pathname !== at.split("?")[0]) complaints.push(`${who} was led from ${at} to ${here.pathname}`);
    // What is folded is laid out only when it is open: Firefox tells the old place of it after the window changed.
    await run(`void document.querySelectorAll("details").forEach((it) => { it.open = true; })`);
    // No colour is on its way from one theme to the other.
    await run(`void document.documentElement.style.setProperty("--fast", "0s")`);
    for (const theme of ["light", "dark"]) {
      await run(`void (document.documentElement.dataset.theme = "${theme}")`);
      for (const width of WIDTHS) {
        await resize(width);
        const where = `${at} for ${who}, ${theme}, ${width} px`;
        await check(overflow, where, "wider than the window");
        await check(overlaps, where, "on each other");
        await check(unreadable, where, "cannot be read");
        if (width < 768) await check(smallFields, where, "text below 16 px");
        if (given.shots) {
          const name = `${given.name}.${at.replace(/[^a-z0-9]+/gi, "-")}.${theme}.${width}.png`;
          await shot(path.join(given.shots, name));
        }
      }
    }
  }
}
await close();
assert.deepEqual([...new Set(complaints)], [], "the walk found faults");
process.exit(0);
