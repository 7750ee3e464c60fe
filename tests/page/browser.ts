// A browser, where this machine has one.

import { access } from "node:fs/promises";
import { createRequire } from "node:module";
import { delimiter, join } from "node:path";
import process from "node:process";
import { installPackages } from "../tools/npm_packages.ts";
import type { Browser, Chromium } from "./playwright.ts";

/** A browser that can be started. */
export interface BrowserKit {
  launch(): Promise<Browser>;
  /** The source of axe-core, which puts `axe` into the page that it runs in. */
  readonly axe: string;
}

const DEPENDENCIES = { "playwright-core": "1.65.1", "axe-core": "4.14.1" };
const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/** Nothing from anywhere but the demo; in a container there is neither a GPU nor a sandbox. */
const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** The browser, or why there is none. */
export async function findBrowser(): Promise<BrowserKit | { readonly failure: string }> {
  const executablePath = process.env.CHROMIUM ?? await findExecutable();
  if (executablePath === undefined) return { failure: "chromium is not in the PATH" };
  const installed = await installPackages("page", DEPENDENCIES);
  if ("failure" in installed) return installed;
  const require = createRequire(join(installed.folder, "package.json"));
  const { chromium }: { readonly chromium: Chromium } = require("playwright-core");
  const { source: axe }: { readonly source: string } = require("axe-core");
  return { axe, launch: () => chromium.launch({ executablePath, args: ARGUMENTS }) };
}

async function findExecutable(): Promise<string | undefined> {
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    for (const name of NAMES) {
      const path = join(folder, name);
      if (await access(path).then(() => true, () => false)) return path; // not there, or not for us
    }
  }
  return undefined;
}
