// Somebody who opens the demo's page.

import { assert, assertEquals } from "@std/assert";
import type { BrowserKit } from "./browser.ts";
import type { Browser, Context, Look, Page } from "./playwright.ts";
import { produced } from "../tools/produced.ts";

/** What a visitor does, and sees. */
export interface Visitor {
  readonly page: Page;
  /** Presses a button. */
  press(name: string | RegExp): Promise<void>;
  /** Signs in. */
  signIn(name: "Alice" | "Bob"): Promise<void>;
  /** Creates a Subscription in this version. */
  subscribe(version?: string): Promise<void>;
  /** Waits until the status line says this. */
  hears(text: string | RegExp): Promise<void>;
  /** Waits until a line of the timeline says this, or so many do. */
  sees(line: string | RegExp, times?: number): Promise<void>;
  /** Waits until an element has this text. */
  reads(id: string, text: string | RegExp): Promise<void>;
  /** Waits until the counter stands at this number. */
  counts(name: string, number: number): Promise<void>;
  /** Waits until there is a banner that says this. */
  isTold(problem: string | RegExp): Promise<void>;
  /** Waits until so many Subscriptions are shown. */
  lists(number: number): Promise<void>;
  /** Waits until there is no banner. */
  isFine(): Promise<void>;
  /** What axe-core has against the page as it is. */
  violations(): Promise<readonly string[]>;
}

/** Milliseconds until something has to be there. */
const PATIENCE = 15_000;
/** What Chromium itself writes where a server does not answer, or says no. */
const OWN_WORDS = /^(?:Failed to load resource: |WebSocket connection to )/;

/** Opens the page in a profile of its own, and sees to it that it broke no rule meanwhile. */
export async function visit(
  browser: Browser,
  { axe }: BrowserKit,
  origin: string,
  test: (visitor: Visitor) => Promise<void>,
  look: Look = {},
): Promise<void> {
  const context = await browser.newContext({ reducedMotion: "reduce", ...look });
  try {
    await visitWith(context, axe, origin, test);
  } finally {
    await context.close();
  }
}

async function visitWith(
  context: Context,
  axe: string,
  origin: string,
  test: (visitor: Visitor) => Promise<void>,
): Promise<void> {
  const page = await context.newPage();
  const written: string[] = [];
  const asked = new Set<string>();
  page.setDefaultTimeout(PATIENCE);
  page.on("console", (message) => written.push(message.text()));
  page.on("pageerror", (error) => written.push(error.message));
  page.on("websocket", (socket) => socket.on("framereceived", ({ payload }) => produced(payload)));
  page.on("request", (request) => asked.add(new URL(request.url()).host));
  await page.goto(`${origin}/`);
  try {
    await test(createVisitor(page, axe));
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : error}\n${await describe(page)}`, { cause: error });
  }
  assertEquals(written.filter((text) => !OWN_WORDS.test(text)), []);
  assertEquals([...asked], [new URL(origin).host]);
}

/** What somebody who looks at a failed test wants to know. */
async function describe(page: Page): Promise<string> {
  const texts = ["#problem-text", "#status", "#timeline"].map((selector) => page.locator(selector).innerText());
  return (await Promise.all(texts)).join("\n");
}

function createVisitor(page: Page, axe: string): Visitor {
  async function press(name: string | RegExp): Promise<void> {
    await page.getByRole("button", { name, exact: true }).first().click();
  }
  async function has(selector: string, text: string | RegExp): Promise<void> {
    await page.locator(selector, { hasText: text }).first().waitFor();
  }
  return {
    page,
    press,
    async signIn(name) {
      await press(name);
      await has("#status", `Signed in as ${name}.`);
    },
    async subscribe(version = "R4") {
      await page.getByLabel(version, { exact: true }).check();
      await has("#status", version === "R4" ? "" : `This is the base of ${version}.`);
      await press("Create Subscription");
      await has("#status", /Subscription \S+ was created/);
    },
    hears: (text) => has("#status", text),
    async sees(line, times = 1) {
      const lines = page.locator("#timeline li", { hasText: line });
      await lines.first().waitFor();
      await until(async () => await lines.count() >= times, () => `${line} ${times} times`);
    },
    reads: (id, text) => has(`#${id}`, text),
    counts: (name, number) => has(`#count-${name}`, new RegExp(`^${number}$`)),
    lists: (number) =>
      until(
        async () => await page.locator("#subscription-list li").count() === number,
        () => `${number} Subscriptions`,
      ),
    isFine: () => page.locator("#problem").waitFor({ state: "hidden" }),
    isTold: (problem) => has("#problem-text", problem),
    async violations() {
      await page.evaluate(axe);
      const found = await page.evaluate<readonly { id: string; nodes: readonly { html: string }[] }[]>(
        "axe.run().then(({ violations }) => violations)",
      );
      return found.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
    },
  };
}

/** Waits until it holds. */
export async function until(holds: () => Promise<boolean>, what: () => string): Promise<void> {
  const end = Date.now() + PATIENCE;
  while (!await holds()) {
    assert(Date.now() < end, `Not in time: ${what()}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
