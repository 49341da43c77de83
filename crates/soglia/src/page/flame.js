// The flame graph: callers above, what they call below, as wide as their time or calls.

const FLAME = 19;

class Flame {
  constructor(view, canvas) {
    Object.assign(this, { view, canvas, search: "", metric: "total", selected: null });
    this.draw = once(() => this.drawNow());
  }

  /** Shows a tree. */
  set(root, metric) {
    Object.assign(this, { root, top: root, metric, selected: null });
    this.draw();
  }

  /** Shows a node and what is below it over the whole width. */
  focus(node) {
    this.top = node;
    this.selected = node;
    this.onfocus?.(node);
    this.draw();
  }

  weight(node) {
    return node[this.metric];
  }

  drawNow() {
    const width = this.view.clientWidth;
    if (width === 0 || !this.root) return;
    this.boxes = [];
    const above = [];
    for (let node = this.top.parent; node; node = node.parent) above.unshift(node);
    above.forEach((node, n) => this.boxes.push({ node, x: 0, y: n * FLAME, width, faded: true }));
    let deepest = above.length;
    // Long chains of callers would overflow a recursion.
    const waiting = [{ node: this.top, x: 0, y: above.length * FLAME, width }];
    while (waiting.length > 0) {
      const box = waiting.pop();
      this.boxes.push(box);
      deepest = Math.max(deepest, box.y / FLAME);
      let { x } = box;
      const whole = this.weight(box.node);
      for (const node of box.node.children) {
        const part = whole > 0 ? (this.weight(node) / whole) * box.width : 0;
        if (part >= 0.4) waiting.push({ node, x, y: box.y + FLAME, width: part });
        x += part;
      }
    }
    const height = (deepest + 1) * FLAME + 2;
    const context = prepare(this.canvas, width, height);
    const charWidth = context.measureText("0000000000").width / 10;
    for (const { node, x, y, width, faded } of this.boxes) {
      const fits = this.search === "" || node.name.toLowerCase().includes(this.search);
      const colour = theme.colour(!node.parent ? "life" : node.target || node.callback ? colourOf(node.name, node.callback) : "managed");
      context.globalAlpha = fits ? (faded ? 0.55 : node.target || !node.parent ? 1 : 0.75) : 0.2;
      context.fillStyle = colour;
      context.fillRect(x, y, Math.max(width - (width > 3 ? 1 : 0), 0.6), FLAME - 1);
      context.globalAlpha = 1;
      if (width > 4 * charWidth && fits) {
        context.fillStyle = node.target && node.parent ? inkOn(colour) : theme.colour("ink");
        context.fillText(fitted(node.parent ? node.shown : "all native calls", width - 8, charWidth), x + 4, y + FLAME / 2);
      }
      if (node === this.selected) {
        context.strokeStyle = theme.colour("ink");
        context.lineWidth = 2;
        context.strokeRect(x + 1, y + 1, Math.max(width - 3, 1), FLAME - 3);
      }
    }
  }

  hit(x, y) {
    return this.boxes?.find((box) => x >= box.x && x < box.x + box.width && y >= box.y && y < box.y + FLAME)?.node;
  }
}

function pointAtFlame(flame) {
  const { canvas } = flame;
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  canvas.addEventListener("pointermove", (event) => {
    const node = flame.hit(...place(event));
    if (!node) return tip.hide();
    tip.show(event.clientX, event.clientY, nodeLines(node, flame.root));
  });
  canvas.addEventListener("pointerleave", tip.hide);
  canvas.addEventListener("click", (event) => {
    const node = flame.hit(...place(event));
    if (node) flame.focus(node);
  });
  canvas.addEventListener("keydown", (event) => {
    const node = flame.selected ?? flame.top;
    const beside = (by) => {
      const all = node.parent?.children ?? [node];
      return all[all.indexOf(node) + by];
    };
    const next = { ArrowDown: () => node.children[0], ArrowUp: () => node.parent, ArrowLeft: () => beside(-1), ArrowRight: () => beside(1), Escape: () => flame.root, Home: () => flame.root }[event.key]?.();
    if (!next) return;
    event.preventDefault();
    flame.focus(next);
  });
}

const nodeLines = (node, root) => [
  node.parent ? node.shown : "all native calls",
  `${time(node.total)} in native code${root.total > 0 ? `, ${percent(node.total / root.total)} of all` : ""}`,
  `${many(node.calls, "call", "calls")}${node.target && node.self !== node.total ? `, ${time(node.self)} of its own` : ""}`,
];
