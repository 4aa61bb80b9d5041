// The first line says what to check. For each line after it, one number: the median time of a check by the SDK for Node, in
// nanoseconds.
import { createInterface } from 'node:readline';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const require = createRequire(new URL('../tests/interop/', import.meta.url));
const { WorkOS } = await import(pathToFileURL(require.resolve('@workos-inc/node')));

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const { sealed, password, baseUrl, clientId, apiKey } = JSON.parse((await lines.next()).value);
const url = new URL(baseUrl);
const workos = new WorkOS(apiKey, { clientId, apiHostname: url.hostname, port: Number(url.port), https: false });

async function check() {
  const session = workos.userManagement.loadSealedSession({ sessionData: sealed, cookiePassword: password });
  const result = await session.authenticate();
  if (!result.authenticated) throw new Error(result.reason);
}

// Until the compiler has done its work.
for (let call = 0; call < 3000; call += 1) await check();
for (let line = await lines.next(); !line.done; line = await lines.next()) {
  const samples = [];
  for (let sample = 0; sample < 10; sample += 1) {
    const start = process.hrtime.bigint();
    for (let call = 0; call < 100; call += 1) await check();
    samples.push(Number(process.hrtime.bigint() - start) / 100);
  }
  samples.sort((a, b) => a - b);
  console.log(samples[samples.length / 2]);
}
