// Everything from npm that builds or checks the package. None of it is an import of deno.json, which every task would
// then download; each list is installed when it is asked for, once.

/** The compilers that the declarations must satisfy. */
export const COMPILERS = { "typescript-5.9": "5.9.3", "typescript-6": "6.0.3", "typescript-7": "7.0.2" } as const;

/** For `npm install`: the compiler that builds. */
export const BUILD_TOOLS = { typescript: COMPILERS["typescript-6"] } as const;

/** For `npm install`: all that looks at the result. */
export const CHECK_TOOLS: Readonly<Record<string, string>> = {
  "@arethetypeswrong/cli": "0.18.5",
  // The oldest that is supported: it has the fewest names.
  "@types/node": "20.19.43",
  esbuild: "0.25.5",
  publint: "0.3.25",
  ...Object.fromEntries(Object.entries(COMPILERS).map(([name, version]) => [name, `npm:typescript@${version}`])),
};
