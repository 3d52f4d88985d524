// Opens each page as a file in a browser without a network and complains of all that a reader would.
// usage: node check.mjs REPOSITORY DEMO_FOLDER     (ONLY=several looks at the pages of that name alone)
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";
import * as look from "./look.mjs";
import { FAULTS, pages } from "./pages.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const [root, demo] = process.argv.slice(2);
const shots = process.env.SCREENSHOTS;
const only = process.env.ONLY;
const VIEWS = [375, 1440].flatMap((width) => ["light", "dark"].map((colorScheme) => ({ width, colorScheme })));

const folder = mkdtempSync(join(tmpdir(), "llm-deploy-browser-"));
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: ["--host-resolver-rules=MAP * ~NOTFOUND", ...(process.getuid?.() === 0 ? ["--no-sandbox"] : [])],
});
console.log(`Chromium ${browser.version()}`);
let bad = 0;
try {
  const all = pages(root, demo).filter(([name]) => !only || name.includes(only));
  if (all.length === 0) throw new Error(`no page is named like ${only}`);
  for (const [name, html] of all) {
    const complaints = await check(name, html);
    bad += complaints.length;
    console.log(`${complaints.length === 0 ? "ok  " : "BAD "} ${name}`);
    for (const complaint of complaints) console.log(`     ${complaint}`);
  }
  // The smallest page with a chart will do.
  if (!only) bad += await missed(all.find(([name]) => name === "preview")[1]);
} finally {
  await browser.close();
  rmSync(folder, { recursive: true });
}
const fine = only ? "these pages are fine" : "every page is fine, and every fault was found";
console.log(bad === 0 ? fine : `${bad} complaints`);
process.exit(bad === 0 ? 0 : 1);

/** The faults that the check does not find. */
async function missed(page) {
  let missed = 0;
  for (const [what, expected, spoil] of FAULTS) {
    const spoilt = spoil(page);
    const complaints = await check(`spoilt: ${what}`, spoilt);
    const found = spoilt !== page && complaints.some((complaint) => complaint.includes(` ${expected}`));
    missed += found ? 0 : 1;
    console.log(`${found ? "ok  " : "BAD "} ${what} is found`);
    if (!found) for (const complaint of complaints) console.log(`     instead: ${complaint}`);
  }
  return missed;
}

/** All complaints about a page, each with the view in which it was first seen. */
async function check(name, html) {
  const path = join(folder, "report.html");
  writeFileSync(path, html);
  const complaints = new Map();
  for (const view of VIEWS) {
    const where = `${view.width} ${view.colorScheme}:`;
    for (const complaint of await inView(name, pathToFileURL(path).href, view)) {
      if (!complaints.has(complaint)) complaints.set(complaint, where);
    }
  }
  return [...complaints].map(([complaint, where]) => `${where} ${complaint}`);
}

async function inView(name, url, { width, colorScheme }) {
  const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme, offline: true });
  const complaints = [];
  try {
    const page = await context.newPage();
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) complaints.push(`console: ${message.text().slice(0, 160)}`);
    });
    page.on("pageerror", (error) => complaints.push(`error: ${error.message}`));
    page.on("request", (request) => {
      if (request.url() !== url && !request.url().startsWith("data:")) complaints.push(`request: ${request.url()}`);
    });
    await page.goto(url, { waitUntil: "load" });
    complaints.push(...(await page.evaluate(look.head)));
    complaints.push(...(await page.evaluate(look.charts)));
    complaints.push(...(await page.evaluate(look.width)));
    complaints.push(...(await page.evaluate(look.text)));
    if (width === 375 && colorScheme === "light") complaints.push(...(await onPaper(page)));
    complaints.push(...(await unfold(page)));
    complaints.push(...(await page.evaluate(look.width)));
    complaints.push(...(await page.evaluate(look.text)));
    // The scheme changes no more than colours, which are judged where nothing is scrolled out of sight.
    if (width === 1440 || colorScheme === "light") complaints.push(...(await axe(page, width === 1440)));
    if (shots && !name.startsWith("spoilt")) await shoot(page, `${name}-${width}-${colorScheme}.png`);
  } finally {
    await context.close();
  }
  return complaints;
}

/** Opens every fold with nothing but the keyboard. */
async function unfold(page) {
  // Folds appear inside of folds; each Tab moves on, so that this many are enough for any page here.
  for (let tab = 0; tab < 400; tab++) {
    if ((await page.locator("details:not([open])").count()) === 0) return [];
    await page.keyboard.press("Tab");
    const shut = await page.evaluate(() => {
      const at = document.activeElement;
      return at?.localName === "summary" && !at.parentElement.open;
    });
    if (shut) await page.keyboard.press("Enter");
  }
  const left = await page.locator("details:not([open]) > summary").allInnerTexts();
  return left.map((summary) => `keyboard: ${JSON.stringify(summary)} can't be opened with the keyboard`);
}

async function onPaper(page) {
  await page.emulateMedia({ media: "print" });
  // On a busy machine what is asked next may still find the screen's layout.
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  const complaints = await page.evaluate(look.print);
  const pdf = await page.pdf({ format: "A4" });
  if (pdf.subarray(0, 5).toString() !== "%PDF-" || pdf.length < 5_000) complaints.push("print: no PDF was made");
  await page.emulateMedia({ media: null });
  return complaints;
}

/** Accessibility and contrast; `strictly`, what axe can't decide about contrast counts as a fault, too. */
async function axe(page, strictly) {
  await page.evaluate(AXE);
  const { violations, incomplete } = await page.evaluate(() => window.axe.run(document, { preload: false }));
  const unsure = incomplete
    .filter((rule) => strictly && rule.id === "color-contrast")
    .map((rule) => ({ ...rule, nodes: rule.nodes.filter((node) => !node.html.startsWith("<text")) }));
  return [...violations, ...unsure].flatMap((rule) =>
    rule.nodes.slice(0, 3).map((node) => `axe ${rule.id}: ${node.html.slice(0, 120)} ${node.any[0]?.message ?? ""}`),
  );
}

async function shoot(page, file) {
  mkdirSync(shots, { recursive: true });
  await page.screenshot({ path: join(shots, file), fullPage: true });
}
