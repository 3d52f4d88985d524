// What is looked at in the page itself; each function runs in the browser and gives a list of complaints.

/** Wider than the window: the page would scroll sideways. */
export function width() {
  const [wide, room] = [document.documentElement.scrollWidth, document.documentElement.clientWidth];
  return wide > room ? [`wide: the page takes ${wide} of ${room} pixels`] : [];
}

/** Text that is cut off, or that lies upon other text. */
export function text() {
  const complaints = [];
  const boxes = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const parent = node.parentElement;
    if (!node.data.trim() || parent.closest("title, style, script")) continue;
    if (!parent.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const rect of range.getClientRects()) {
      if (rect.width < 1 || rect.height < 1) continue;
      const view = visible(rect, parent);
      if (view.cut) complaints.push(`clipped: ${quote(node)} goes beyond ${view.cut}`);
      if (view.right - view.left > 1) boxes.push({ ...view, node });
    }
  }
  boxes.sort((a, b) => a.top - b.top);
  for (let i = 0; i < boxes.length; i++) {
    for (let j = i + 1; j < boxes.length && boxes[j].top < boxes[i].bottom; j++) {
      const [a, b] = [boxes[i], boxes[j]];
      const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      // Boxes of letters are taller than the letters; a third of the lower one is beyond that.
      const least = Math.min(a.bottom - a.top, b.bottom - b.top) / 3;
      if (a.node !== b.node && across > 1.5 && down > least) {
        complaints.push(`overlap: ${quote(a.node)} and ${quote(b.node)}`);
      }
    }
  }
  return complaints;

  /** The part of the box that shows. What scrolls in a box of its own is not cut off. */
  function visible(rect, element) {
    const view = { left: rect.left, right: rect.right, top: rect.top, bottom: rect.bottom, cut: null };
    let scrolls = false;
    for (let at = element; at && at !== document.documentElement; at = at.parentElement) {
      const style = getComputedStyle(at);
      const svg = at.localName === "svg";
      if (style.display === "inline" || (style.overflowX === "visible" && !svg)) continue;
      const box = at.getBoundingClientRect();
      if (/auto|scroll/.test(style.overflowX)) scrolls = true;
      else if (!scrolls && (view.right > box.right + 1 || view.left < box.left - 1 || view.bottom > box.bottom + 4)) {
        view.cut = `its <${at.localName}>`;
      }
      view.left = Math.max(view.left, box.left);
      view.right = Math.min(view.right, box.right);
    }
    return view;
  }

  function quote(node) {
    return JSON.stringify(node.data.trim().slice(0, 60));
  }
}

/** Words in charts that can hardly be read; axe judges none in an SVG. */
export function charts() {
  const numbers = (colour) => (colour.match(/[\d.]+/g) ?? []).map(Number);
  const light = (colour) => {
    const [r, g, b] = numbers(colour).map((part) => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = light(getComputedStyle(document.body).backgroundColor);
  return [...document.querySelectorAll("svg text")].flatMap((text) => {
    const ink = light(getComputedStyle(text).fill);
    const ratio = (Math.max(ink, ground) + 0.05) / (Math.min(ink, ground) + 0.05);
    return ratio < 4.5 ? [`charts: ${JSON.stringify(text.textContent.trim())} has a contrast of ${ratio.toFixed(1)}`] : [];
  });
}

/** What every page must say of itself. */
export function head() {
  const complaints = [];
  const policy = document.querySelector('meta[http-equiv="Content-Security-Policy"]')?.content ?? "";
  const expected = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";
  if (!policy.startsWith(expected)) complaints.push(`policy: ${JSON.stringify(policy)}`);
  if (document.querySelectorAll("h1").length !== 1) complaints.push("head: not one h1");
  return complaints;
}

/** In print, with folds left shut: text that is not there. */
export function print() {
  const shut = [...document.querySelectorAll("details:not([open])")];
  const hidden = shut.filter((fold) => {
    const inside = [...fold.children].find((child) => child.localName !== "summary");
    return inside && !inside.checkVisibility({ contentVisibilityAuto: true });
  });
  return hidden.map((fold) => `print: folded away is ${JSON.stringify(fold.textContent.trim().slice(0, 60))}`);
}
