// Seals and opens sessions with the SDK for Node and with iron-session: one JSON command a line in, one answer a line out.
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { WorkOS } from '@workos-inc/node';
import { sealData, unsealData } from 'iron-session';

/** An SDK whose API answers with this. */
async function withApi(answer, use) {
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(answer));
  });
  await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
  try {
    return await use(sdk(`http://127.0.0.1:${server.address().port}`));
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

function sdk(baseUrl, clientId = 'client_123', apiKey = 'sk_example') {
  const url = new URL(baseUrl);
  return new WorkOS(apiKey, { clientId, apiHostname: url.hostname, port: Number(url.port), https: false });
}

const commands = {
  // A login with the SDK, sealed by it and by iron-session, which authkit-nextjs uses.
  async seal({ response, password }) {
    return withApi(response, async (workos) => {
      const options = { code: 'code', codeVerifier: 'verifier' };
      const session = { sealSession: true, cookiePassword: password };
      const { sealedSession } = await workos.userManagement.authenticateWithCode({ ...options, session });
      const plain = await workos.userManagement.getSessionFromCookie({ sessionData: sealedSession, cookiePassword: password });
      return { sdk: sealedSession, iron: await sealData(plain, { password }), session: plain };
    });
  },
  async open({ sealed, password }) {
    const workos = sdk('http://127.0.0.1:9');
    return {
      sdk: await workos.userManagement.getSessionFromCookie({ sessionData: sealed, cookiePassword: password }),
      iron: await unsealData(sealed, { password }),
    };
  },
  // Sealed, and opened, with passwords that have IDs; the highest one seals.
  async sealWithIds({ session, passwords }) {
    return { sealed: await sealData(session, { password: passwords }) };
  },
  async openWithIds({ sealed, passwords }) {
    return { session: await unsealData(sealed, { password: passwords }) };
  },
  // A sealed session verified and refreshed by the SDK.
  async live({ sealed, password, baseUrl, clientId, apiKey }) {
    const workos = sdk(baseUrl, clientId, apiKey);
    const session = workos.userManagement.loadSealedSession({ sessionData: sealed, cookiePassword: password });
    const checked = await session.authenticate();
    const refreshed = await session.refresh();
    return {
      authenticated: checked.authenticated,
      reason: checked.reason ?? null,
      sessionId: checked.sessionId ?? null,
      email: checked.user?.email ?? null,
      refreshed: refreshed.sealedSession ?? null,
    };
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { op, ...command } = JSON.parse(line);
  let answer;
  try {
    answer = await commands[op](command);
  } catch (error) {
    answer = { failed: String(error?.stack ?? error) };
  }
  console.log(JSON.stringify(answer));
}
