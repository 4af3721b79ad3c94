// Opens reports and the console in Chromium, narrow and wide, light and dark, and by keyboard alone.
//
//   node check.mjs --out FOLDER [--page FILE]... [--picture FILE] [--traffic URL] [--console URL [--key KEY]]
//
// Fails where a page asks another origin, says something on the browser's console, is wider than
// its window, has a serious fault by axe-core, or cannot be worked without a mouse. Screenshots go
// to the folder; those of the tops of --picture and of the console, `picture.png` and
// `console-picture.png`, are what docs/report.png and docs/console.png are made of.
import { chromium } from "playwright-core";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const BROWSERS = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const WIDTHS = [390, 1280];
const SCHEMES = ["light", "dark"];
const MOST_STOPS = 300;
/** A model of the sample, and a name as long as gateways have them. */
const [SHORT, LONG] = ["kestrel-code", "accounts/fireworks/models/kestrel-code-instruct-2026-01-15"];

function flags() {
  const found = { pages: [], picture: null, traffic: null, console: null, key: null, out: "browser" };
  const words = process.argv.slice(2);
  while (words.length > 0) {
    const [name, value] = words.splice(0, 2);
    if (value === undefined) throw new Error(`${name} needs a value`);
    if (name === "--page") found.pages.push(value);
    else if (name === "--picture") found.picture = value;
    else if (name === "--traffic") found.traffic = value;
    else if (name === "--console") found.console = value;
    else if (name === "--key") found.key = value;
    else if (name === "--out") found.out = value;
    else throw new Error(`${name} is no flag; see the head of this file`);
  }
  return found;
}

const faults = [];
function fault(where, what) {
  faults.push(`${where}: ${what}`);
  console.log(`FAULT ${where}: ${what}`);
}

/** A page that notes whatever should not happen on it; `expected.refusals` may be set meanwhile. */
async function open(browser, url, { width, scheme, where }) {
  const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme: scheme });
  const page = await context.newPage();
  const expected = { refusals: false };
  const origin = new URL(url).origin;
  page.on("pageerror", (error) => fault(where, `an error in its script: ${error.message}`));
  page.on("console", (message) => {
    const isRefusal = message.text().startsWith("Failed to load resource") && expected.refusals;
    if (["error", "warning"].includes(message.type()) && !isRefusal) {
      fault(where, `says on the console: ${message.text()}`);
    }
  });
  page.on("request", (request) => {
    const asked = new URL(request.url());
    const isOwn = request.url() === url || asked.protocol === "data:"
      || (asked.protocol.startsWith("http") && asked.origin === origin);
    if (!isOwn) fault(where, `asks for ${request.url()}`);
  });
  await page.goto(url);
  return { context, page, expected };
}

async function checkWidth(page, where) {
  const [wide, window] = await page.evaluate(() => {
    const root = document.documentElement;
    return [root.scrollWidth, root.clientWidth];
  });
  if (window < wide) fault(where, `is ${wide} pixels wide in a window of ${window}`);
}

async function checkAccess(page, where) {
  await page.evaluate(AXE);
  const found = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  for (const { id, impact, help, nodes } of found.violations) {
    const example = nodes.slice(0, 3).map(({ target }) => target.join(" ")).join("; ");
    const text = `axe ${impact} ${id}: ${help} (${nodes.length}; ${example})`;
    if (["moderate", "serious", "critical"].includes(impact)) fault(where, text);
    else console.log(`note  ${where}: ${text}`);
  }
}

/** Goes through the page with the tabulator: everything that can be worked is reached, and shows it. */
async function checkKeyboard(page, where) {
  const n = await page.evaluate(() => {
    document.activeElement?.blur();
    const all = document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']");
    let count = 0;
    for (const one of all) {
      if (one.checkVisibility() && !one.disabled) one.dataset.stop = String(count++);
    }
    return count;
  });
  const reached = new Set();
  for (let i = 0; i < Math.min(n + 2, MOST_STOPS); i += 1) {
    await page.keyboard.press("Tab");
    const stop = await page.evaluate(() => {
      const one = document.activeElement;
      if (!one || one === document.body) return null;
      const { outlineStyle, outlineWidth } = getComputedStyle(one);
      return { name: one.dataset.stop, shown: outlineStyle !== "none" && outlineWidth !== "0px", what: one.id || one.tagName };
    });
    if (stop === null) continue;
    if (!stop.shown) fault(where, `${stop.what} does not show that it has the focus`);
    reached.add(stop.name);
  }
  for (let i = 0; i < Math.min(n, MOST_STOPS); i += 1) {
    if (!reached.has(String(i))) {
      const what = await page.evaluate((stop) => document.querySelector(`[data-stop="${stop}"]`)?.outerHTML.slice(0, 100), i);
      if (what) fault(where, `the keyboard does not reach ${what}`);
    }
  }
}

async function checkPage(browser, file, out) {
  const name = basename(file).replace(/\.html$/, "");
  for (const width of WIDTHS) {
    for (const scheme of SCHEMES) {
      const where = `${name} ${width} ${scheme}`;
      const { context, page } = await open(browser, pathToFileURL(resolve(file)).href, { width, scheme, where });
      await checkWidth(page, where);
      await checkAccess(page, where);
      await page.screenshot({ path: `${out}/${name}-${width}-${scheme}.png`, fullPage: true });
      if (scheme === "light") await checkKeyboard(page, where);
      await context.close();
    }
  }
}

/** The top of a report as a picture for the README. */
async function takePicture(browser, file, out) {
  const context = await browser.newContext({ viewport: { width: 1120, height: 1350 }, colorScheme: "light" });
  const page = await context.newPage();
  await page.goto(pathToFileURL(resolve(file)).href);
  await page.screenshot({ path: `${out}/picture.png` });
  await context.close();
}

/** Some calls and outcomes, so that the console has something to show. */
async function makeTraffic(url) {
  for (let i = 0; i < 60; i += 1) {
    const post = (path, body) => fetch(`${url}${path}`, { method: "POST", body: JSON.stringify(body) });
    const prompt = i % 3 === 0 ? `Fix function ${i}, please.` : `Translate letter ${i} into German.`;
    const routed = await post("/route", { messages: [{ role: "user", content: prompt }] });
    const { decision_id, provider } = await routed.json();
    if (routed.status !== 200) fault("traffic", `a call is answered with ${routed.status}`);
    await post("/outcome", { decision_id, provider, quality: i % 2, latency_ms: 900 + i, ttft_ms: 200, usage: { output: 90 } });
  }
}

async function logIn(page, key, { expected }, where) {
  if (key === null) return;
  await page.waitForSelector("#login:not([hidden])");
  await checkAccess(page, `${where} login`);
  expected.refusals = true;
  await page.keyboard.type("not-the-key");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.getElementById("login-error").textContent !== "");
  expected.refusals = false;
  await page.keyboard.type(key);
  await page.keyboard.press("Enter");
}

const rows = (page) => page.locator("#candidates tbody tr").allInnerTexts();
const changed = (page, id, before) =>
  page.waitForFunction(([id, before]) => document.getElementById(id).textContent !== before, [id, before], { timeout: 5000 });

/** Works the playground by keyboard: the slider, a model ruled out, all of them ruled out. */
async function checkPlayground(page, expected, where) {
  const verdict = () => page.locator("#verdict").textContent();
  await page.waitForFunction(() => document.getElementById("verdict").textContent.startsWith("Best: "));
  await page.focus("#lambda");
  for (const key of ["Home", "End"]) {
    const before = await page.locator("#lambda-text").textContent();
    await page.keyboard.press(key);
    if (before === await page.locator("#lambda-text").textContent() && key === "End") fault(where, "the slider says nothing new");
    await page.waitForTimeout(500);
    console.log(`note  ${where}: slider at ${key}: ${await verdict()}`);
  }
  const dear = await verdict();
  await page.keyboard.press("Home");
  await changed(page, "verdict", dear).catch(() => fault(where, "the slider does not move the verdict"));
  await page.focus("#deny input");
  await page.keyboard.press("Space");
  await page.waitForFunction(() => document.getElementById("candidates").innerText.includes("deny list"))
    .catch(() => fault(where, "a model that is ruled out has no reason"));
  expected.refusals = true;
  for (let i = 1; i < await page.locator("#deny input").count(); i += 1) {
    await page.keyboard.press("Tab");
    await page.keyboard.press("Space");
  }
  await page.waitForFunction(() => document.getElementById("verdict").textContent.startsWith("Refused: "))
    .catch(() => fault(where, "a call that no model may answer is not refused"));
  if ((await rows(page)).some((row) => !row.includes("deny list"))) fault(where, "a refusal lacks a reason");
  for (let i = await page.locator("#deny input").count(); 0 < i; i -= 1) {
    await page.keyboard.press("Space");
    await page.keyboard.press("Shift+Tab");
  }
  await page.waitForFunction(() => document.getElementById("verdict").textContent.startsWith("Best: "));
  await page.waitForTimeout(300);
  expected.refusals = false;
}

async function checkSecrecy(page, key, where) {
  const { url, local, cookies } = await page.evaluate(() => ({ url: location.href, local: JSON.stringify(localStorage), cookies: document.cookie }));
  if (key !== null && [url, local, cookies].some((text) => text.includes(key))) fault(where, "the key is where it should not be");
}

/** Names in sentences are set as code: no backtick is left, and the point in force is marked. */
async function checkWording(page, where) {
  const said = (id) => page.locator(`#${id}`).textContent();
  for (const id of ["standing", "card", "points"]) {
    if ((await said(id)).includes("`")) fault(where, `#${id} shows a backtick`);
  }
  if (!(await said("points")).includes(", in force")) fault(where, "no operating point is marked as in force");
}

async function checkConsole(browser, { console: url, key, out }) {
  for (const width of WIDTHS) {
    for (const scheme of SCHEMES) {
      const where = `console ${width} ${scheme}`;
      const { context, page, expected } = await open(browser, url, { width, scheme, where });
      await logIn(page, key, { expected }, where);
      await page.waitForSelector("#content:not([hidden])");
      await checkPlayground(page, expected, where);
      await checkSecrecy(page, key, where);
      await checkWording(page, where);
      await checkWidth(page, where);
      await checkAccess(page, where);
      await page.screenshot({ path: `${out}/console-${width}-${scheme}.png`, fullPage: true });
      if (width === 1280 && scheme === "light") {
        const clip = { x: 0, y: 0, width, height: 1560 };
        await page.screenshot({ path: `${out}/console-picture.png`, fullPage: true, clip });
      }
      if (scheme === "light") await checkKeyboard(page, where);
      await context.close();
    }
  }
}

/** Long names of models are wrapped: the page is no wider than its window, and candidates fit a wide one. */
async function checkLongNames(browser, { console: url, key }) {
  for (const width of WIDTHS) {
    const where = `console ${width} long names`;
    const { context, page, expected } = await open(browser, url, { width, scheme: "light", where });
    await page.route(/\/admin\/(status|try)$/, async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, body: (await response.text()).replaceAll(SHORT, LONG) });
    });
    await logIn(page, key, { expected }, where);
    await page.waitForFunction((name) => document.getElementById("candidates").textContent.includes(name), LONG);
    await checkWidth(page, where);
    const isScrolled = await page.evaluate(() => {
      const box = document.getElementById("candidates").parentElement;
      return box.clientWidth < box.scrollWidth;
    });
    if (isScrolled && width === Math.max(...WIDTHS)) fault(where, "the candidates do not fit");
    await page.unrouteAll({ behavior: "ignoreErrors" });
    await context.close();
  }
}

const asked = flags();
mkdirSync(asked.out, { recursive: true });
const executablePath = BROWSERS.find((path) => existsSync(path));
if (!executablePath) throw new Error(`no Chromium at ${BROWSERS.join(", ")}`);
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
for (const file of asked.pages) await checkPage(browser, file, asked.out);
if (asked.picture) await takePicture(browser, asked.picture, asked.out);
if (asked.traffic) await makeTraffic(asked.traffic);
if (asked.console) {
  await checkConsole(browser, asked);
  await checkLongNames(browser, asked);
}
await browser.close();
console.log(faults.length === 0 ? "no faults" : `${faults.length} faults`);
process.exitCode = faults.length === 0 ? 0 : 1;
