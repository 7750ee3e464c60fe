// Tests of the page share a browser, one for each file.

import { assert } from "@std/assert";
import { after, before } from "node:test";
import process from "node:process";
import { withProcess } from "../demo/process.ts";
import { findBrowser } from "./browser.ts";
import type { Browser, Look } from "./playwright.ts";
import { visit, type Visitor } from "./visit.ts";

/** How the demo is started. */
export const DEMO = ["--port", "0"];

/** What a test does with the page. */
export interface PageTools {
  /** Opens the page of a demo that runs, in a profile of its own. */
  open(origin: string, test: (visitor: Visitor) => Promise<void>, look?: Look): Promise<void>;
  /** Starts a demo with these options, and opens its page. */
  withPage(test: (visitor: Visitor) => Promise<void>, ...options: string[]): Promise<void>;
}

const kit = await findBrowser();
const missing = "failure" in kit && `cannot open the page: ${kit.failure}`;

/** Why there is no browser. In CI nothing may be missing, so the tests run and fail. */
export const skip: string | false = process.env.CI ? false : missing;

/** The name of a suite: not every runtime tells the reason of a skip, so the name does. */
export function titled(name: string): string {
  return skip ? `${name}: ${skip}` : name;
}

/** A browser for the suite that this is called in. */
export function useBrowser(): PageTools {
  let browser: Browser | undefined;
  before(async () => {
    assert(!("failure" in kit), String(missing));
    browser = await kit.launch();
  });
  after(async () => {
    await browser?.close();
  });

  async function open(origin: string, test: (visitor: Visitor) => Promise<void>, look?: Look): Promise<void> {
    assert(!("failure" in kit) && browser !== undefined, String(missing));
    await visit(browser, kit, origin, test, look);
  }
  return { open, withPage: (test, ...options) => withProcess([...DEMO, ...options], (origin) => open(origin, test)) };
}
