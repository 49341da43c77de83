// Elements of the page. Texts of the recording become text nodes, never markup.

/** Makes an element. Attributes that are false, null or undefined are left out. */
function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

function svg(tag, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

const byId = (id) => document.getElementById(id);

/** A section of the page with a heading, and a link to it above. */
function section(id, title, ...children) {
  const heading = el("h2", { id: `${id}-title` }, title);
  const made = el("section", { id, "aria-labelledby": `${id}-title` }, el("div", { class: "title" }, heading), ...children);
  byId("main").append(made);
  byId("sections").firstChild.append(el("li", {}, el("a", { href: `#${id}` }, title)));
  return made;
}

const badge = (text, kind = "") => el("span", { class: `badge ${kind}` }, text);

/** Frames of a stack, innermost first. */
const stack = (frames) => el("ul", { class: "stack" }, frames.map((frame) => el("li", { class: frame.startsWith("[") && "runtime" }, frame)));

/** The tooltip, for charts. */
const tip = {
  show(x, y, lines) {
    const box = byId("tip");
    box.replaceChildren(el("b", {}, lines[0]), ...lines.slice(1).map((line) => el("div", {}, line)));
    box.hidden = false;
    const { width, height } = box.getBoundingClientRect();
    box.style.left = `${clamp(x + 14, 4, Math.max(4, innerWidth - width - 8))}px`;
    box.style.top = `${y + 18 + height > innerHeight ? Math.max(4, y - height - 10) : y + 18}px`;
  },
  hide() {
    byId("tip").hidden = true;
  },
};
