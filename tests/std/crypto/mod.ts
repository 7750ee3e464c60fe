// Stands in for JSR's package where JSR cannot be reached: npm's copy lacks the types, and the WASM that the rest needs.
// @ts-types="./mod.d.ts"
export * from "deno-std/crypto/timing_safe_equal.js";
