// Seals and opens sessions with the libraries for Node: one JSON command a line in, one answer a line out.
import { createServer } from 'node:http';
import { readdirSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { WorkOS } from '@workos-inc/node';
import { AuthService, CookieSessionStorage, sessionEncryption } from '@workos/authkit-session';
import { sealData, unsealData } from 'iron-session';
import { calculateJwkThumbprint, createRemoteJWKSet, exportJWK, generateKeyPair, jwtVerify, SignJWT } from 'jose';
import { cookieJar } from './next.mjs';

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

/** The storage that an application of authkit-session writes: here a request is an object of cookies. */
class Cookies extends CookieSessionStorage {
  async getCookie(request, name) {
    return request[name] ?? null;
  }
}

function authService({ baseUrl, clientId, apiKey, password }) {
  const config = { clientId, apiKey, redirectUri: 'https://example.com/callback', cookiePassword: password };
  const full = { ...config, cookieName: 'wos-session', apiHttps: false };
  return new AuthService(full, new Cookies(full), sdk(baseUrl, clientId, apiKey), sessionEncryption);
}

/** authkit-nextjs reads its settings from the environment once. */
async function nextjs({ baseUrl, clientId, apiKey, password }) {
  const url = new URL(baseUrl);
  Object.assign(process.env, {
    WORKOS_API_HOSTNAME: url.hostname,
    WORKOS_API_PORT: url.port,
    WORKOS_API_HTTPS: 'false',
    WORKOS_API_KEY: apiKey,
    WORKOS_CLIENT_ID: clientId,
    WORKOS_COOKIE_PASSWORD: password,
    NEXT_PUBLIC_WORKOS_REDIRECT_URI: 'https://example.com/callback',
  });
  return import('@workos-inc/authkit-nextjs');
}

/** The public members of a class or interface in the type declarations of a package. */
function members(package_, kind, name) {
  const folder = new URL(`./node_modules/${package_}/`, import.meta.url);
  for (const file of readdirSync(folder, { recursive: true }).filter((file) => /\.d\.m?ts$/.test(file))) {
    const text = readFileSync(new URL(file, folder), 'utf8');
    const found = new RegExp(`(?:^|\\s)${kind} ${name}(?:<[^{]*>)?(?: extends [\\w, ]+| implements [\\w<>, ]+)? \\{\\n([^]*?)\\n\\}`).exec(text);
    if (found) {
      const indent = found[1].match(/^ +/m)[0];
      const names = found[1].matchAll(new RegExp(`^${indent}(?:get |readonly )?(\\w+)(?:\\?|<[^(]*>)?[:(]`, 'gm'));
      return [...new Set([...names].map(([, name]) => name))].filter((name) => name !== 'constructor');
    }
  }
  throw new Error(`${package_} has no ${kind} ${name}`);
}

/** Where it is, and what it signs with. */
let issuer;

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
  // A webhook, signed by the SDK.
  async signWebhook({ body, secret }) {
    const time = Date.now();
    const signature = await sdk('http://127.0.0.1:9').webhooks.computeSignature(time, body, secret);
    return { header: `t=${time}, v1=${signature}` };
  },
  // A webhook, checked by the SDK.
  async checkWebhook({ body, header, secret }) {
    const { id, event } = await sdk('http://127.0.0.1:9').webhooks.constructEvent({ payload: body, sigHeader: header, secret });
    return { id, event };
  },
  // An Action, signed by the SDK.
  async signAction({ body, secret }) {
    const time = Date.now();
    const signature = await sdk('http://127.0.0.1:9').webhooks.computeSignature(time, body, secret);
    return { header: `t=${time}, v1=${signature}` };
  },
  // An Action, checked and read by the SDK.
  async checkAction({ body, header, secret }) {
    return sdk('http://127.0.0.1:9').actions.constructAction({ payload: body, sigHeader: header, secret });
  },
  // The SDK's answer to an Action, as it would be sent at this time.
  async answerAction({ answer, time, secret }) {
    const { now } = Date;
    Date.now = () => time;
    try {
      return { body: JSON.stringify(await sdk('http://127.0.0.1:9').actions.signResponse(answer, secret)) };
    } finally {
      Date.now = now;
    }
  },
  // An issuer of access tokens, made with `jose`: its metadata and its key are served until the end.
  async issuer() {
    const { publicKey, privateKey } = await generateKeyPair('RS256');
    const jwk = await exportJWK(publicKey);
    const key = { ...jwk, kid: await calculateJwkThumbprint(jwk), alg: 'RS256', use: 'sig' };
    const server = createServer(({ url }, response) => {
      const served = {
        '/.well-known/oauth-authorization-server': { issuer: issuer.url, jwks_uri: `${issuer.url}/oauth2/jwks` },
        '/oauth2/jwks': { keys: [key] },
      };
      response.writeHead(url in served ? 200 : 404, { 'content-type': 'application/json' });
      response.end(JSON.stringify(served[url] ?? {}));
    });
    await new Promise((ready) => server.listen(0, '127.0.0.1', ready));
    server.unref();
    issuer = { url: `http://127.0.0.1:${server.address().port}`, privateKey, kid: key.kid };
    return { url: issuer.url };
  },
  // An access token of this issuer, or one that only says so.
  async signToken({ claims, alg = 'RS256', isForged = false }) {
    const privateKey = isForged ? (await generateKeyPair(alg)).privateKey : issuer.privateKey;
    return { token: await new SignJWT(claims).setProtectedHeader({ alg, kid: issuer.kid }).sign(privateKey) };
  },
  // An access token of ours, verified by `jose` with the keys that the issuer's metadata names.
  async verifyToken({ token, issuer, audience }) {
    const metadata = await (await fetch(`${issuer}/.well-known/oauth-authorization-server`)).json();
    const keys = createRemoteJWKSet(new URL(metadata.jwks_uri));
    return (await jwtVerify(token, keys, { issuer, audience, algorithms: ['RS256'] })).payload;
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
  // The cookie that a user of each library has after a login with a password.
  async signIn({ email, password, cookiePassword, ...server }) {
    const { userManagement } = sdk(server.baseUrl, server.clientId, server.apiKey);
    const login = (session) => userManagement.authenticateWithPassword({ email, password, session });
    const settings = { ...server, password: cookiePassword };

    const { sealedSession } = await login({ sealSession: true, cookiePassword });

    const { accessToken, refreshToken, user, impersonator } = await login();
    const data = { accessToken, refreshToken, user, impersonator };
    const sealed = await sessionEncryption.sealData(data, { password: cookiePassword });
    const { headers } = await authService(settings).saveSession(undefined, sealed);

    globalThis.nextCookies = cookieJar({});
    await (await nextjs(settings)).saveSession(await login(), 'https://example.com/callback');

    return {
      '@workos-inc/node': `wos-session=${sealedSession}`,
      '@workos/authkit-session': headers['Set-Cookie'].split(';')[0],
      '@workos-inc/authkit-nextjs': `wos-session=${globalThis.nextCookies.get('wos-session').value}`,
    };
  },
  // What each library makes of a cookie: whose session it is, or why it is none.
  async accept({ sealed, ...settings }) {
    const { userManagement } = sdk(settings.baseUrl, settings.clientId, settings.apiKey);
    const session = userManagement.loadSealedSession({ sessionData: sealed, cookiePassword: settings.password });
    const { auth } = await authService(settings).withAuth({ 'wos-session': sealed });

    const request = new Request('https://example.com/');
    request.cookies = cookieJar({ 'wos-session': sealed });
    const { session: next } = await (await nextjs(settings)).authkit(request);

    const seen = ({ user, sessionId, reason }) => ({ email: user?.email ?? null, sessionId: sessionId ?? reason ?? null });
    return {
      '@workos-inc/node': seen(await session.authenticate()),
      '@workos/authkit-session': seen(auth),
      '@workos-inc/authkit-nextjs': seen(next),
    };
  },
  // The names that the guide must have.
  async names({ types }) {
    return Object.fromEntries(types.map((type) => [type, members(...type.split(' '))]));
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
