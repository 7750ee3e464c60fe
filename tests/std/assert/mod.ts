// Stands in for JSR's package where JSR cannot be reached: npm has the same code, but without its types.
// @ts-types="./mod.d.ts"
export * from "deno-std/assert/mod.js";
