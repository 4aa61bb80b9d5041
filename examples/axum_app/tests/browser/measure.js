// What is wrong with the page, as a list of texts.
const wrong = [];
const expect = (is, text) => { if (!is) wrong.push(text); };

expect(document.documentElement.lang, "no lang");
expect(document.title.trim(), "no title");
expect(document.querySelectorAll("h1").length === 1, "not one h1");
expect(document.querySelector("main"), "no main");
expect(!document.querySelector("script, [style], [onclick]"), "a script or an inline style");
expect(document.documentElement.scrollWidth <= innerWidth, `scrolls sideways: ${document.documentElement.scrollWidth}`);
for (const image of document.images) {
  expect(image.hasAttribute("alt"), "an image without alt");
  expect(image.naturalWidth > 0, `no image at ${image.src}`);
}
for (const usable of document.querySelectorAll("a, button")) {
  expect(usable.textContent.trim() || usable.getAttribute("aria-label"), "a control without a name");
}
for (const field of document.querySelectorAll("input:not([type=hidden])")) expect(field.labels.length, "a field without a label");
for (const named of document.querySelectorAll("[aria-labelledby]")) {
  expect(document.getElementById(named.getAttribute("aria-labelledby")), "a label that isn't there");
}

// WCAG 2.2, relative luminance and contrast.
const channels = (color) => color.match(/[\d.]+/g).map(Number);
const luminance = ([red, green, blue]) => {
  const [r, g, b] = [red, green, blue].map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const background = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const color = channels(getComputedStyle(at).backgroundColor);
    if (color.length === 3 || color[3] === 1) return color;
  }
  return [255, 255, 255];
};
let measured = 0;
const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (texts.nextNode()) {
  const element = texts.currentNode.parentElement;
  if (!texts.currentNode.textContent.trim() || !element.getClientRects().length) continue;
  const [one, two] = [luminance(channels(getComputedStyle(element).color)), luminance(background(element))];
  const contrast = (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
  measured++;
  expect(contrast >= 4.5, `contrast ${contrast.toFixed(2)}: ${texts.currentNode.textContent}`);
}
expect(measured > 5, "there is hardly any text");
return wrong;
