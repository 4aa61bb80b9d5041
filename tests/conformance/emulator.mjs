// Starts the vendor's emulator on a free port of loopback, says where it is, and ends with its standard input.
import { readFileSync } from 'node:fs';
import { createEmulator } from 'workos/emulate';

const seed = JSON.parse(readFileSync(new URL('seed.json', import.meta.url), 'utf8'));
const emulator = await createEmulator({ port: 0, seed });
console.log(`WORKOS_BASE_URL=${emulator.url}`);
process.stdin.on('end', () => process.exit(0)).resume();
