// What must hold of a page at every width, as functions that run in the page. They use nothing from outside, so that
// any browser can be given their text.

/** What reaches over the right edge of the window and cannot be scrolled to in a part of its own. A card cuts off what is
 * too wide for it, so it is not enough to ask whether the page itself can be scrolled. */
export const overflow = () => {
  const width = document.documentElement.clientWidth;
  const scrolls = (it) => it && (["auto", "scroll"].includes(getComputedStyle(it).overflowX) || scrolls(it.parentElement));
  const wide = [...document.querySelectorAll("body *")]
    .filter((it) => it.getBoundingClientRect().right > width + 1 && !scrolls(it.parentElement))
    // What only a screen reader says is cut to one pixel on purpose, with all that is in it.
    .filter((it) => !it.closest(".visually-hidden"));
  if (document.documentElement.scrollWidth > width) wide.push(document.body);
  return wide.map((it) => it.outerHTML.slice(0, 160));
};

/** Fields whose text is so small that a phone zooms into them. */
export const smallFields = () => [...document.querySelectorAll("input, select, textarea")]
  .filter((it) => it.checkVisibility() && !it.matches(".visually-hidden") && !["checkbox", "radio", "file", "hidden", "range"].includes(it.type))
  .filter((it) => parseFloat(getComputedStyle(it).fontSize) < 16)
  .map((it) => it.outerHTML.slice(0, 160));

/** Pairs of texts and controls that lie on each other. */
export const overlaps = () => {
  const all = [...document.querySelectorAll("a, button, input, select, textarea, summary, h1, h2, h3, strong, .tag, .label, dt, dd > code, .who")]
    .filter((it) => it.checkVisibility() && !it.closest(".visually-hidden, dialog, .skip, .password"))
    .flatMap((it) => [...it.getClientRects()].map((box) => ({ it, box })).filter(({ box }) => box.width > 2 && box.height > 2));
  const scrolls = (it) => it && (it.matches(".scroll, .sidebar nav, pre") || scrolls(it.parentElement));
  const found = [];
  for (const [at, one] of all.entries()) {
    for (const other of all.slice(at + 1)) {
      if (one.it === other.it || one.it.contains(other.it) || other.it.contains(one.it)) continue;
      const wide = Math.min(one.box.right, other.box.right) - Math.max(one.box.left, other.box.left);
      const high = Math.min(one.box.bottom, other.box.bottom) - Math.max(one.box.top, other.box.top);
      if (wide > 2 && high > 4 && !scrolls(one.it) && !scrolls(other.it)) {
        found.push(`${one.it.outerHTML.slice(0, 90)} and ${other.it.outerHTML.slice(0, 90)}`);
      }
    }
  }
  return found;
};

/** Texts that are too small, or that stand out too little from what is behind them (WCAG 1.4.3). */
export const unreadable = () => {
  const brush = Object.assign(document.createElement("canvas"), { width: 1, height: 1 })
    .getContext("2d", { willReadFrequently: true });
  // The canvas knows every notation of colours: red, green and blue from 0 to 255, and alpha from 0 to 1.
  const rgba = (colour) => {
    brush.clearRect(0, 0, 1, 1);
    brush.fillStyle = colour;
    brush.fillRect(0, 0, 1, 1);
    const [red, green, blue, alpha] = brush.getImageData(0, 0, 1, 1).data;
    return [red, green, blue, alpha / 255];
  };
  const known = new Map();
  const colourOf = (text) => {
    if (!known.has(text)) known.set(text, rgba(text));
    return known.get(text);
  };
  const over = ([r, g, b, a], below) => [r, g, b].map((value, at) => value * a + below[at] * (1 - a));
  const behind = (it) => {
    if (!it) return [255, 255, 255];
    const own = colourOf(getComputedStyle(it).backgroundColor);
    return own[3] === 1 ? own.slice(0, 3) : over(own, behind(it.parentElement));
  };
  const light = (colour) => {
    const [r, g, b] = colour.map((value) => value / 255).map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (one, other) => {
    const [high, low] = [light(one), light(other)].sort((a, b) => b - a);
    return (high + 0.05) / (low + 0.05);
  };
  const found = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const it = texts.currentNode.parentElement;
    if (!texts.currentNode.textContent.trim() || !it.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
    if (it.closest(".visually-hidden, .skip, dialog:not([open]), script, style, noscript, svg, option, [aria-hidden=true]")) continue;
    const style = getComputedStyle(it);
    const size = parseFloat(style.fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const ground = behind(it);
    const ratio = contrast(over(colourOf(style.color), ground), ground);
    if (size < 11.5 || ratio < (isLarge ? 3 : 4.5)) {
      found.push(`${size} px, contrast ${ratio.toFixed(2)}: ${it.outerHTML.slice(0, 120)}`);
    }
  }
  return found;
};
