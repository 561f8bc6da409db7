// Runs the audits of the npm package `graphql-http` against the server at an address, and prints one line of JSON for
// each: its id, name, status and reason.

import { createRequire } from 'node:module';

// The package is installed with those of the pages, where its version is pinned.
const { auditServer } = createRequire(new URL('../../web/ui/package.json', import.meta.url))('graphql-http');

for (const { id, name, status, reason } of await auditServer({ url: process.argv[2] })) {
  console.log(JSON.stringify({ id, name, status, reason }));
}
