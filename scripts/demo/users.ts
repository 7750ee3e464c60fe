// The two users, whose secrets everybody knows: nothing here is to hold real data.

import { timingSafeEqual } from "@std/crypto/timing-safe-equal";

/** A user and OAuth client in one. */
export interface User {
  readonly id: string;
  readonly name: string;
}

const USERS: ReadonlyMap<string, User & { readonly secret: string }> = new Map([
  ["alice", { id: "alice", name: "Alice", secret: "alice-secret" }],
  ["bob", { id: "bob", name: "Bob", secret: "bob-secret" }],
]);

/** The user of this id. */
export function findUser(id: string): User | undefined {
  return USERS.get(id);
}

/** The user whose id and secret these are. It takes as long for users that there are as for others. */
export async function checkSecret(id: string, secret: string): Promise<User | undefined> {
  const user = USERS.get(id);
  const [given, wanted] = await Promise.all([digest(secret), digest(user?.secret ?? "")]);
  return timingSafeEqual(given, wanted) ? user : undefined;
}

/** Of one length, whatever the secret's. */
async function digest(text: string): Promise<ArrayBuffer> {
  return await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
}
