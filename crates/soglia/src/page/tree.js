// Callers: the flame graph and the same as a tree.

function writeCallers() {
  if (trees.callers.children.length === 0 && !trees.nesting) return;
  const made = section("callers", "Callers");
  const state = { tree: "callers", metric: trees.callers.total > 0 ? "total" : "calls" };
  const view = el("div", { class: "view" });
  const canvas = el("canvas", { tabindex: "0", role: "img", "aria-label": "Flame graph of callers. The tree below has the same in words. Arrow keys go to callers and callees, Escape shows all.", style: "cursor: pointer" });
  view.append(canvas);
  const flame = new Flame(view, canvas);
  const search = el("input", { type: "search", placeholder: "Find a method or a target", "aria-label": "Find in the flame graph" });
  const status = el("div", { class: "details small", "aria-live": "polite" });
  const note = el("p", { class: "soft" });
  const tree = el("ul", { class: "tree", role: "tree", "aria-labelledby": "callers-title" });
  const choice = (key, options) => {
    const buttons = options.map(([value, name]) => el("button", { type: "button", "data-choice": value, onclick: () => {
      state[key] = value;
      draw();
    } }, name));
    return { buttons, update: () => buttons.forEach((button) => button.setAttribute("aria-pressed", String(button.dataset.choice === state[key]))) };
  };
  const sources = choice("tree", [["callers", "By caller"], ["nesting", "By nesting"]]);
  const metrics = choice("metric", [["total", "Time"], ["calls", "Calls"]]);
  made.append(
    note,
    el("div", { class: "tools", style: "margin-bottom: 8px" }, trees.nesting && sources.buttons, metrics.buttons, search, el("button", { type: "button", onclick: () => flame.focus(flame.root) }, "Show all")),
    el("div", { class: "chart" }, view), status, el("h3", { style: "margin-top: 10px" }, "The same as a tree"), tree);

  function draw() {
    sources.update();
    metrics.update();
    note.textContent = state.tree === "callers"
      ? "Managed methods above, the native functions that they call below. The recording keeps the stacks of slow calls and of some others. A slow call's time belongs to its own stack. The other time of a target is divided among its known callers."
      : "Each call inside of what it is nested in: a callback below the native call that made it. All calls of all threads, without what is nested deeper than 64 calls.";
    const root = trees[state.tree];
    sortTree(root, state.metric);
    flame.set(root, state.metric);
    tree.replaceChildren(...root.children.slice(0, 200).map((node) => treeItem(node, root, state.metric, 16)));
    tree.querySelector('[role="treeitem"]')?.setAttribute("tabindex", "0");
  }
  flame.onfocus = (node) => {
    const [first, ...rest] = nodeLines(node, flame.root);
    status.replaceChildren(node.target && targetsByName.has(node.name) ? targetLink(node.name) : el("b", { class: "mono" }, first), ` ${rest.join("; ")}`);
  };
  search.addEventListener("input", () => {
    flame.search = search.value.trim().toLowerCase();
    flame.draw();
  });
  new ResizeObserver(flame.draw).observe(view);
  theme.listeners.push(flame.draw);
  pointAtFlame(flame);
  treeKeys(tree);
  draw();
}

function sortTree(root, metric) {
  const waiting = [root];
  while (waiting.length > 0) {
    const node = waiting.pop();
    node.children.sort((a, b) => b[metric] - a[metric]);
    waiting.push(...node.children);
  }
}

/** A node of the tree. Its children are made when it is opened. Those with much of all are open at first. */
function treeItem(node, root, metric, levels) {
  const hasChildren = node.children.length > 0;
  const twist = el("span", { class: "twist", "aria-hidden": "true" });
  const value = metric === "total" ? `${time(node.total)}, ${percent(root.total > 0 ? node.total / root.total : 0)}` : many(node.calls, "call", "calls");
  const item = el("li", { role: "treeitem", tabindex: "-1", "aria-expanded": hasChildren && "false" },
    el("div", { class: node.target ? "node target" : "node" }, twist, el("span", { class: "label", title: node.name }, node.target && swatch(node.name, node.callback), node.shown), el("span", { class: "number" }, value, metric === "total" ? ` · ${many(node.calls, "call", "calls")}` : "")));
  item.toggle = (open) => {
    if (!hasChildren) return;
    item.setAttribute("aria-expanded", String(open));
    twist.textContent = open ? "▾" : "▸";
    const group = item.querySelector(":scope > ul");
    if (open && !group) item.append(el("ul", { role: "group" }, node.children.slice(0, 200).map((child) => treeItem(child, root, metric, levels - 1))));
    else if (group) group.hidden = !open;
  };
  item.toggle(levels > 0 && node[metric] >= root[metric] * 0.04);
  item.firstChild.addEventListener("click", () => item.toggle(item.getAttribute("aria-expanded") !== "true"));
  if (node.target) item.firstChild.addEventListener("dblclick", () => showTarget(node.name));
  return item;
}

/** The keys of a tree, as accessible trees have them. */
function treeKeys(tree) {
  const visible = () => [...tree.querySelectorAll('[role="treeitem"]')].filter((item) => item.offsetParent !== null);
  const go = (item) => {
    if (!item) return;
    tree.querySelector('[tabindex="0"]')?.setAttribute("tabindex", "-1");
    item.setAttribute("tabindex", "0");
    item.focus();
  };
  tree.addEventListener("keydown", (event) => {
    const item = event.target.closest('[role="treeitem"]');
    if (!item) return;
    const all = visible();
    const at = all.indexOf(item);
    const open = item.getAttribute("aria-expanded");
    const act = {
      ArrowDown: () => go(all[at + 1]), ArrowUp: () => go(all[at - 1]), Home: () => go(all[0]), End: () => go(all.at(-1)),
      ArrowRight: () => (open === "false" ? item.toggle(true) : open === "true" && go(item.querySelector('[role="treeitem"]'))),
      ArrowLeft: () => (open === "true" ? item.toggle(false) : go(item.parentElement.closest('[role="treeitem"]'))),
      Enter: () => item.toggle(open !== "true"),
    }[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
}
