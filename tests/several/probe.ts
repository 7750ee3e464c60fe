// What the tests of this folder would be skipped for, as JSON: run by `engines.test.ts` where there is no engine.

import { postgresEngine, redisEngine } from "./engines.ts";

console.log(JSON.stringify([postgresEngine.skip, redisEngine.skip]));
