// The data of the page.

const data = JSON.parse(byId("data").textContent);
const report = data.report;
/** A list of the report, also of a report that lacks it. */
const list = (name) => report[name] ?? [];

const OUTCOMES = ["returned", "the events end inside it", "abandoned", "failed", "open"];

const writtenNames = new Map(Object.entries(data.written));
/** The name of a target as people write it. */
const written = (name) => writtenNames.get(name) ?? name;

/** The name of a target: the same as in the tables of the text report. */
function targetName(row) {
  if (row.library && row.entry) return `${row.library}!${row.entry}`;
  if (row.method) return row.method;
  if (row.library && row.offset) return `${row.library}+${row.offset}`;
  return "[function pointer]";
}

const targets = list("targets").map((row) => ({ ...row, name: targetName(row), callback: row.direction === "reverse" }));
const targetsByName = new Map();
for (const row of targets) {
  if (!targetsByName.has(row.name)) targetsByName.set(row.name, row);
}

const processes = new Map(list("processes").map((row) => [row.process, row]));
const isMerged = processes.size > 1;
const pidsDiffer = new Set([...processes.values()].map((row) => row.pid)).size === processes.size;
/** A process as reports name it: by the system's number, or by its own if several have that. */
const processName = (number) => `process ${pidsDiffer ? processes.get(number)?.pid ?? number : `#${number}`}`;
/** Which processes a row is about, where that is worth a word. */
function within(numbers) {
  const all = [...new Set(numbers)];
  if (!isMerged || all.length === processes.size || all.length === 0) return "";
  return all.length === 1 ? `in ${processName(all[0])}` : `in ${count(all.length)} processes`;
}

/** A thread as reports name it. */
const taskKey = (row) => `${row.process ?? 1}/${row.task}`;
const tasks = new Map(list("tasks").map((row) => [taskKey(row), row]));
function taskName(number, process = 1) {
  const row = tasks.get(taskKey({ process, task: number }));
  const what = row?.name ? ` “${row.name}”` : row && row.kind !== "thread" ? ` (${row.kind})` : "";
  return `thread ${number}${what}${isMerged ? ` of ${processName(process)}` : ""}`;
}

/** The slices of a lane, each number in a column. */
function lane(numbers) {
  const columns = { begin: [], end: [], name: [], callback: [], outcome: [], calls: [], busy: [] };
  let last = 0;
  for (let n = 0; n < numbers.length; ) {
    const begin = last + numbers[n];
    const end = begin + numbers[n + 1];
    const what = numbers[n + 2];
    const several = what % 2 === 1;
    columns.begin.push(begin);
    columns.end.push(end);
    columns.name.push(Math.floor(what / 32));
    columns.callback.push(Math.floor(what / 16) % 2 === 1);
    columns.outcome.push(Math.floor(what / 2) % 8);
    columns.calls.push(several ? numbers[n + 3] : 1);
    columns.busy.push(several ? numbers[n + 4] : end - begin);
    last = end;
    n += several ? 5 : 3;
  }
  columns.length = columns.begin.length;
  return columns;
}

const timeline = {
  ...data.timeline,
  lanes: new Map(data.timeline.tasks.map((row) => [row.task, row.lanes.map(lane)])),
};

/** Nodes whose parents come before them, as a tree with sums. */
function treeOf(rows, nameOf) {
  const root = { name: "all", calls: 0, self: 0, total: 0, children: [], depth: 0, parent: null };
  const nodes = rows.map((row) => ({ ...nameOf(row), calls: row.calls, self: row.self_ns, total: row.self_ns, children: [], parent: null, depth: 0 }));
  rows.forEach((row, n) => {
    const parent = row.parent === null ? root : nodes[row.parent];
    nodes[n].parent = parent;
    nodes[n].depth = parent.depth + 1;
    parent.children.push(nodes[n]);
  });
  for (const node of nodes.toReversed()) {
    node.parent.total += node.total;
    if (!node.callsAreOwn) node.parent.calls += node.calls;
  }
  const sort = (node) => {
    node.children = node.children.filter((child) => child.calls > 0 || child.total > 0).sort((a, b) => b.total - a.total || b.calls - a.calls);
  };
  [root, ...nodes].forEach(sort);
  return root;
}

const trees = {
  callers: treeOf(data.callers, (row) => ({ name: row.name, shown: written(row.name), target: row.target, callback: false })),
  nesting: data.timeline.nesting &&
    treeOf(data.timeline.nesting, (row) => {
      const name = data.timeline.names[row.name]?.name ?? "?";
      return { name, shown: written(name), target: true, callback: row.callback, callsAreOwn: row.parent !== null };
    }),
};
