// Reads the description of the JSON API, as a developer does before writing a program.
import assert from "node:assert/strict";
import { given, inspect, open, sees } from "./browser.mjs";

const { person, close } = await open();
const page = await person();
await page.goto(`${given.url}/v1/docs`);
await sees(page, "The API");
await inspect(page, "docs");

// ---- Every section is reached from the top.
const links = page.getByRole("navigation", { name: "Sections" }).getByRole("link");
for (const link of await links.all()) {
  const target = (await link.getAttribute("href")).slice(1);
  assert.equal(await page.locator(`h2[id="${target}"]`).count(), 1, `${target} is nowhere`);
}
await links.filter({ hasText: "scopes" }).click();
const scopes = page.getByRole("group", { name: "Scopes" });
const holds = async (scope) => (await scopes.getByRole("row", { name: scope }).last().innerText()).replace(/\s+/g, " ");
assert.match(await holds(/^training /), /models:read datasets:read training:start metrics:write/);
assert.match(await holds(/^reports:read /), /Read the reports\./);

// ---- A call says what it takes, which credential, which scope.
const call = page.getByRole("region", { name: "GET /api/account/summary" });
assert.match(await call.innerText(), /Required scope: account:read/);

// ---- The gateways are folded until they are asked for.
for (const name of ["nginx", "Traefik", "Caddy", "Envoy"]) {
  const text = page.getByRole("group", { name: `Configuration of ${name}` });
  assert.ok(!(await text.isVisible()));
  await page.locator("summary").filter({ hasText: name }).click();
  assert.match(await text.innerText(), /9000/);
}
await inspect(page, "docs-gateways");
await close();
