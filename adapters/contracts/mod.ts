/**
 * What the interfaces of storage and bus promise, as functions that throw: run them against your own implementation, in
 * whatever test framework you use: `test(name, () => run(make))`. Each calls `make` once, for a fresh and empty
 * instance; leave out those whose `needs` yours cannot fulfil, such as a clock that the test moves.
 *
 * @example
 * ```ts
 * import { tokenStoreContract } from "@fhir-ws/binding/contracts";
 * import { createMemoryTokenStore } from "@fhir-ws/binding/storage/memory";
 *
 * for (const { name, run } of tokenStoreContract) {
 *   await run(({ now }) => createMemoryTokenStore({ now }));
 *   console.log(`My token store ${name}`);
 * }
 * ```
 *
 * @module
 */
export type { Contract, ContractSetup } from "./contract.ts";
export { notificationBusContract } from "./bus.ts";
export { eventLogContract } from "./events.ts";
export { subscriptionStoreContract } from "./subscriptions.ts";
export { tokenStoreContract } from "./tokens.ts";
