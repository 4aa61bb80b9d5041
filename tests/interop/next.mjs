// What authkit-nextjs imports from Next.js, in a few lines, so that its own session code runs in plain Node.
import { register } from 'node:module';

const modules = {
  'next/headers': `
    export const cookies = async () => globalThis.nextCookies;
    export const headers = async () => new Headers();`,
  'next/navigation': 'export const redirect = (url) => { throw new Error(`redirect to ${url}`); };',
  'next/server': 'export class NextRequest extends Request {} export class NextResponse extends Response {}',
  'next/cache': 'export const revalidatePath = () => {}; export const revalidateTag = () => {};',
};
const hooks = `
  const modules = ${JSON.stringify(modules)};
  export const resolve = (name, context, next) =>
    modules[name] ? { url: 'data:text/javascript,' + encodeURIComponent(modules[name]), shortCircuit: true } : next(name, context);`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);

/** The cookies of one request, as Next.js hands them out. */
export function cookieJar(values) {
  const jar = new Map(Object.entries(values));
  return {
    get: (name) => (jar.has(name) ? { name, value: jar.get(name) } : undefined),
    has: (name) => jar.has(name),
    set: (name, value) => jar.set(name, value),
    getAll: () => [...jar].map(([name, value]) => ({ name, value })),
    delete: (name) => jar.delete(name),
  };
}
