// The page by keyboard, for axe-core, and how it looks.

import { assertEquals, assertMatch } from "@std/assert";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { describe, it } from "node:test";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { withProcess } from "../demo/process.ts";
import type { Look } from "./playwright.ts";
import { DEMO, skip, titled, useBrowser } from "./suite.ts";
import type { Visitor } from "./visit.ts";

const LOOKS: Readonly<Record<string, Look>> = {
  light: { viewport: { width: 1280, height: 860 } },
  dark: { viewport: { width: 1280, height: 860 }, colorScheme: "dark" },
  phone: { viewport: { width: 360, height: 740 } },
};

describe(titled("the page, however it is used"), { skip }, () => {
  const { open, withPage } = useBrowser();

  it("is used by the keyboard alone", () =>
    withPage(async ({ page, hears, sees }) => {
      await page.keyboard.press("Tab");
      assertEquals(await page.evaluate("document.activeElement.textContent"), "Skip to what happens");
      await page.keyboard.press("Tab");
      assertEquals(await page.evaluate("document.activeElement.textContent"), "Show me");
      assertEquals(await page.evaluate("getComputedStyle(document.activeElement).outlineStyle"), "solid");
      await page.keyboard.press("Enter");
      await hears("Its notification is the newest line");
      await sees(/Event 1/);
      assertEquals(await page.evaluate("document.activeElement.textContent"), "Show me");
    }));

  for (const [name, look] of Object.entries(LOOKS)) {
    it(`is accessible and fits: ${name}`, () =>
      withProcess(DEMO, (origin) =>
        open(origin, async ({ page, press, hears, violations, sees, isTold }) => {
          assertEquals(await violations(), []);
          await press("Show me");
          await hears("Its notification is the newest line");
          await takePicture(page, `page-${name}`);
          await press("Send nonsense");
          await sees(/Outcome not-supported/);
          await page.locator("#timeline summary").first().click();
          await page.locator("#resource select").selectOption("Encounter");
          await press("Update");
          await isTold("There is no Encounter of yours yet");
          assertEquals(await violations(), []);
          const overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth";
          assertEquals(await page.evaluate(overflow), 0);
        }, look)));
  }
});

/** To be looked at where `PAGE_SCREENSHOTS` names a folder; else it is only seen to be one. */
async function takePicture(page: Visitor["page"], name: string): Promise<void> {
  const kept = process.env.PAGE_SCREENSHOTS;
  const folder = kept ?? await mkdtemp(join(tmpdir(), "fhir-ws-page-"));
  try {
    await mkdir(folder, { recursive: true });
    await page.screenshot({ path: join(folder, `${name}.png`) });
    const bytes = await readFile(join(folder, `${name}.png`));
    assertMatch(String.fromCharCode(...bytes.subarray(0, 4)), /PNG$/);
  } finally {
    if (kept === undefined) await rm(folder, { recursive: true, force: true });
  }
}
