// npm run protocols: runs the five protocols under the same dozen faults, and writes docs/protocols.md.
import { writeFile } from 'node:fs/promises';
import { protocolsPage } from '../test/simulation/catalog/table/page.js';

const page = await protocolsPage((what) => process.stderr.write(`${what}\n`));
await writeFile('docs/protocols.md', page);
