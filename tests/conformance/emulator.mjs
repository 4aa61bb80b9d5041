// Starts an emulator of the vendor's on a free port of loopback, says where it is, and ends with its standard input.
// The argument is what to import it from: `workos/emulate`, or `@workos/emulate` where that is installed.
import { readFileSync } from 'node:fs';

const { createEmulator } = await import(process.argv[2] ?? 'workos/emulate');
const seed = JSON.parse(readFileSync(new URL('seed.json', import.meta.url), 'utf8'));
const emulator = await createEmulator({ port: 0, seed });
console.log(`WORKOS_BASE_URL=${emulator.url}`);
process.stdin.on('end', () => process.exit(0)).resume();
