// Medplum's packages from npm, as they are. They are no dependency of the project: only this test fetches them.

import { type Installed, installPackages } from "../tools/npm_packages.ts";

const DEPENDENCIES = {
  "medplum-core-4.5.2": "npm:@medplum/core@4.5.2",
  "medplum-core-5.1.15": "npm:@medplum/core@5.1.15",
  "@medplum/core": "5.2.13",
  "@medplum/react-hooks": "5.2.13",
  "react": "19.2.0",
  "react-dom": "19.2.0",
  "jsdom": "26.1.0",
};

/** The folder whose `node_modules` has them, or why there is none. */
export async function installMedplum(): Promise<Installed> {
  return await installPackages("medplum", DEPENDENCIES);
}
