// One command in: what to check. One number out: the median time of a check by the SDK for Node, in nanoseconds.
import { createInterface } from 'node:readline';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const require = createRequire(new URL('../tests/interop/', import.meta.url));
const { WorkOS } = await import(pathToFileURL(require.resolve('@workos-inc/node')));

const [line] = await new Promise((done) => {
  const lines = [];
  createInterface({ input: process.stdin }).on('line', (text) => lines.push(text)).on('close', () => done(lines));
});
const { sealed, password, baseUrl, clientId, apiKey } = JSON.parse(line);
const url = new URL(baseUrl);
const workos = new WorkOS(apiKey, { clientId, apiHostname: url.hostname, port: Number(url.port), https: false });

async function check() {
  const session = workos.userManagement.loadSealedSession({ sessionData: sealed, cookiePassword: password });
  const result = await session.authenticate();
  if (!result.authenticated) throw new Error(result.reason);
}

for (let round = 0; round < 3000; round += 1) await check();
const samples = [];
for (let sample = 0; sample < 40; sample += 1) {
  const start = process.hrtime.bigint();
  for (let round = 0; round < 250; round += 1) await check();
  samples.push(Number(process.hrtime.bigint() - start) / 250);
}
samples.sort((a, b) => a - b);
console.log(samples[samples.length / 2]);
