import { arch, cpus, platform } from "node:os";
import process from "node:process";

/** What figures were measured on. */
export interface Machine {
  readonly runtime: { readonly name: string; readonly version: string };
  readonly cpu: string;
  readonly system: string;
}

export function describeMachine(): Machine {
  const { deno, bun, node = "" } = process.versions;
  const processors = cpus();
  return {
    runtime: deno
      ? { name: "Deno", version: deno }
      : bun
      ? { name: "Bun", version: bun }
      : { name: "Node", version: node },
    cpu: `${processors.length} × ${processors[0]?.model ?? "unknown"}`,
    system: `${platform()} ${arch()}`,
  };
}
