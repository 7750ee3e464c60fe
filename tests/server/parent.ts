import process from "node:process";

/** Ends this process when the one that started it has gone, however that came about. */
export function endWithParent(): void {
  process.stdin.on("end", () => process.exit()).on("error", () => process.exit()).resume();
}
