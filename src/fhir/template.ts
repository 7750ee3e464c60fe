// Notifications as text with places left free, for the many that differ in a few words only.

import { buildNotification } from "./notification.ts";
import type { Notified, Stamp, StatusContent } from "./status.ts";

/** What alike notifications have in common. */
export type Look = Omit<Notified, "id" | keyof Stamp>;

/** In what they differ, each `inQuotes`. */
export interface Words extends Stamp {
  readonly id: string;
  readonly topic: string;
  readonly number: string;
}

/** Text and the names of words, in turn. */
export type Template = readonly (string | keyof Words)[];

/**
 * Leaves the words out of a notification; `content` is made with what stands for the number. A timestamp that is known
 * is none of them.
 */
export function makeTemplate(
  look: Look,
  content: (number: string) => StatusContent,
  timestamp?: string,
): Template {
  // Drawn after everything that it must not occur in.
  const mark = crypto.randomUUID();
  const notified: Notified = {
    ...look,
    id: `${mark}id`,
    facts: { ...look.facts, ...(look.facts.topic !== undefined && { topic: `${mark}topic` }) },
    timestamp: timestamp ?? `${mark}timestamp`,
    statusId: `${mark}statusId`,
  };
  return JSON.stringify(buildNotification(notified, content(`${mark}number`))).split(new RegExp(`${mark}(\\w+)`));
}

/** Joined, not added up: an engine would have to copy a text of parts once more before it is sent. */
export function fill(template: Template, words: Words): string {
  const parts = template.slice();
  for (let n = 1; n < parts.length; n += 2) parts[n] = words[parts[n] as keyof Words]; // as it was made
  return parts.join("");
}

/** As it stands between the quotes of a JSON string. */
export function inQuotes(text: string): string {
  return /^[\w\-.:/|]*$/.test(text) ? text : JSON.stringify(text).slice(1, -1);
}
