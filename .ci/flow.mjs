// Draws docs/flow.svg, the picture of a login in the README: `node .ci/flow.mjs`. With `--check` it only compares.
import { readFileSync, writeFileSync } from "node:fs";

const file = new URL("../docs/flow.svg", import.meta.url);

// Readable on a light and on a dark page.
const style = `
  text { font: 14px ui-monospace, Menlo, Consolas, monospace; fill: #1f2328; text-anchor: middle }
  .note { font: 13px system-ui, sans-serif; fill: #59636e }
  .box { fill: #f6f8fa; stroke: #59636e }
  .yes { stroke: #1a7f37; stroke-width: 2 }
  .no { stroke: #9a6700; stroke-width: 2 }
  .arrow { stroke: #59636e; stroke-width: 1.5; fill: none; marker-end: url(#end) }
  #end path { fill: #59636e }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc } .note { fill: #9198a1 } .box { fill: #151b23; stroke: #9198a1 }
    .yes { stroke: #3fb950 } .no { stroke: #d29922 } .arrow { stroke: #9198a1 } #end path { fill: #9198a1 }
  }`;

const parts = [];
const text = (x, y, words, name = "") => parts.push(`<text x="${x}" y="${y}"${name && ` class="${name}"`}>${words}</text>`);
const box = (x, y, width, words, note, kind = "") => {
  parts.push(`<rect class="box${kind && ` ${kind}`}" x="${x}" y="${y}" width="${width}" height="52" rx="8"/>`);
  text(x + width / 2, y + 22, words);
  text(x + width / 2, y + 41, note, "note");
};
const arrow = (path, x, y, words, note = "") => {
  parts.push(`<path class="arrow" d="${path}"/>`);
  text(x, y, words);
  if (note) text(x, y + 34, note, "note");
};

// A login.
box(10, 50, 130, "Client", "what it may hold");
arrow("M140 76 H266", 202, 66, "begin()", "to the browser");
box(270, 50, 140, "PkceSession", "state, verifier");
arrow("M410 76 H536", 472, 66, "exchange()", "state is right");
box(540, 50, 140, "CodeExchange", "code, verifier");
arrow("M680 76 H766", 722, 66, "send()");
box(770, 50, 160, "Ok", "the user is signed in", "yes");
arrow("M610 102 V150 H546", 640, 140, "");
box(390, 124, 152, "Err: Step", "a second factor, …", "no");
arrow("M466 176 V206 H850 V106", 660, 198, "verify(code), select(&amp;id), … send()");
arrow("M650 102 V150 H706", 640, 140, "");
box(710, 124, 120, "Err: Rejected", "recover()", "no");

// Each request after it.
box(10, 250, 130, "request", "cookie");
arrow("M140 276 H346", 242, 266, "authenticate()", "checked, refreshed once");
box(350, 250, 160, "Active", "200: the user", "yes");
box(530, 250, 160, "SignedOut", "to the login", "no");
box(710, 250, 220, "TemporarilyUnknown", "503: an outage", "no");

const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 940 320" role="img" aria-labelledby="title">
<title id="title">A login goes from Client to PkceSession to CodeExchange to a signed-in user; an error is a step to answer or a rejection to recover from. Each later request is active, signed out or temporarily unknown.</title>
<style>${style}
</style>
<defs><marker id="end" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path d="M0 0 L8 4 L0 8 Z"/></marker></defs>
<text x="10" y="28" class="note" style="text-anchor: start">A login: after begin(), each call uses its value up, so nothing is sent twice.</text>
<text x="10" y="236" class="note" style="text-anchor: start">Each request after it:</text>
${parts.join("\n")}
</svg>
`;

if (!process.argv.includes("--check")) writeFileSync(file, svg);
else if (readFileSync(file, "utf8") !== svg) throw new Error("docs/flow.svg is out of date: node .ci/flow.mjs");
