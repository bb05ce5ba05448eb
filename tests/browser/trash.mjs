// The trash and the storage in the browser, on every kind of screen.
import assert from "node:assert/strict";
import { fillIn, given, inspect, open, press, sees } from "./browser.mjs";

const PASSWORD = "correct horse, no battery";
const { person, close } = await open();
const page = await person();
const at = (path) => page.goto(given.url + path);
const call = async (method, path, body) => {
  const answer = await fetch(given.url + path, {
    method, headers: { Authorization: `Bearer ${given.service}`, "Content-Type": "application/json" },
    body: body && JSON.stringify(body),
  });
  assert.ok(answer.ok, `${method} ${path} answered ${answer.status}`);
};
const put = (id, type, name, size, parent = null) =>
  call("PUT", `/v1/resources/${id}`, { workspace: given.workspace, type, name, size, parent, version: 1 });

await at("/signin");
await fillIn(page, { "Email or username": "ada-l", Password: PASSWORD });
await press(page, "Sign in");
await sees(page, "Profile");
await at("/settings/trash");
await inspect(page, "trash-empty");
await at("/settings/usage");
await inspect(page, "usage-empty");

await put("p-1", "project", "North warehouse, aisles 1 to 42", 0);
await put("m-1", "model", "night-shift-forklift-detector-v11-large-quantized", 54_000_000, "p-1");
await put("d-1", "dataset", "Apples", 7_100_000);
await at("/settings/usage");
await inspect(page, "usage");
for (const id of ["m-1", "p-1", "d-1"]) await call("POST", `/v1/resources/${id}/trash`);
await at("/settings/trash");
await inspect(page, "trash");
await page.getByRole("button", { name: "Restore night-shift" }).click();
await page.getByRole("alert").waitFor();
await inspect(page, "trash-parent");
await page.getByRole("button", { name: "Restore Apples" }).click();
await page.getByText("Restored.").waitFor();
await inspect(page, "trash-restored");
await press(page, "Undo");
await page.getByText("It is in the trash again.").waitFor();
await page.getByRole("link", { name: "Delete Apples for good" }).click();
await sees(page, /Delete “Apples”/);
await inspect(page, "trash-delete");
await press(page, "Delete for good");
await page.getByText("It is being deleted.").waitFor();
await page.getByRole("link", { name: "Empty trash" }).click();
await sees(page, "Empty the trash?");
await inspect(page, "trash-confirm");
await press(page, "Empty trash");
await page.getByText("The trash is empty").waitFor();
await at("/settings/usage");
await press(page, "Recalculate");
await page.getByText("The numbers were right").waitFor();
await close();
