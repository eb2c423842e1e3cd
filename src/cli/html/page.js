"use strict";
/* Names and commands come from records, which anybody may have written: they reach the page by textContent and setAttribute
 * alone, never as markup. */
const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";
const COLOURS = 7;
const LEFT = 48; /* of both charts: their time axes lie below each other */

function make(tag, attributes, ...children) {
	const node = tag.startsWith("svg:") ? document.createElementNS(SVG, tag.slice(4)) : document.createElement(tag);
	for (const [key, value] of Object.entries(attributes || {}))
		if (value !== null && value !== undefined && value !== false)
			node.setAttribute(key, value === true ? "" : value);
	node.append(...children.filter((child) => child !== null));
	return node;
}

/* As heaplog prints sizes: 820KB, 512MB, 1.2GB. */
function size(bytes) {
	if (!(bytes > 0))
		return "\u2013";
	let value = Math.round(bytes / 1024);
	if (value < 1024)
		return value + "KB";
	value = Math.round(bytes / 1048576);
	if (value < 1024)
		return value + "MB";
	value = Math.round(bytes / 1073741824 * 10);
	return value < 10240 ? (value / 10).toFixed(1) + "GB" : (bytes / 1099511627776).toFixed(1) + "TB";
}

function duration(ms) {
	if (ms === null)
		return "\u2013";
	const s = Math.round(ms / 1000);
	if (ms < 1000)
		return ms + "ms";
	if (ms < 59950)
		return (ms / 1000).toFixed(1) + "s";
	const two = (n) => String(n).padStart(2, "0");
	return s < 3600 ? Math.floor(s / 60) + "m" + two(s % 60) + "s" : Math.floor(s / 3600) + "h" + two(Math.floor(s / 60) % 60) + "m";
}

const plural = (n, word) => n + " " + word + (n === 1 ? "" : "s");
const when = (ms) => ms === null ? "unknown" : new Date(ms).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
/* What nobody sees must not turn the line around: control and bidirectional characters are shown as escapes. */
const shown = (text) => text.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
	(c) => "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0"));
const peakText = (task) => size(task.peak) + (task.metric === "rss" ? "" : " " + shown(task.metric));

/* ---- tooltip ---- */

function tip(text, x, y) {
	const box = $("tip");
	box.hidden = !text;
	if (!text)
		return;
	box.textContent = text;
	const left = Math.min(x + 14, innerWidth - box.offsetWidth - 8);
	const below = y + 18 + box.offsetHeight < innerHeight;
	box.style.left = Math.max(8, left) + "px";
	box.style.top = (below ? y + 18 : Math.max(8, y - box.offsetHeight - 10)) + "px";
}
addEventListener("keydown", (event) => { if (event.key === "Escape") tip(""); });
addEventListener("scroll", () => tip(""), { passive: true });

/* ---- a run: lanes, and the sum of all tasks ---- */

/* Memory of a task at ms since its start, between the samples on a straight line. Samples: [ms, KB, ms, KB ...]. */
function memoryAt(task, ms) {
	const s = task.series;
	if (s.length < 2 || ms < s[0] || ms > task.duration)
		return ms >= 0 && ms <= task.duration && s.length < 2 ? task.peak : 0;
	let low = 0, high = s.length / 2 - 1;
	if (ms >= s[2 * high])
		return s[2 * high + 1] * 1024;
	while (high - low > 1) {
		const middle = (low + high) >> 1;
		if (s[2 * middle] <= ms)
			low = middle;
		else
			high = middle;
	}
	const share = (ms - s[2 * low]) / (s[2 * high] - s[2 * low] || 1);
	return (s[2 * low + 1] + (s[2 * high + 1] - s[2 * low + 1]) * share) * 1024;
}

/* Colours for the largest tasks, lanes for all, and the sum wherever one of them was sampled. */
function prepare(run) {
	if (run.points)
		return run;
	const tasks = run.tasks;
	const ends = [];
	run.length = 1;
	for (const task of tasks) {
		task.duration = task.duration || 0;
		task.colour = -1;
		let lane = ends.findIndex((end) => end <= task.start);
		if (lane < 0)
			lane = ends.length;
		ends[lane] = task.start + task.duration;
		task.lane = lane;
		run.length = Math.max(run.length, ends[lane]);
	}
	run.lanes = ends.length;
	run.large = [...tasks].sort((a, b) => b.peak - a.peak).slice(0, COLOURS);
	run.large.forEach((task, i) => { task.colour = i; });
	const times = new Set([0, run.length]);
	for (const task of tasks) {
		times.add(task.start);
		times.add(task.start + task.duration);
		for (let i = 0; i < task.series.length; i += 2)
			times.add(task.start + task.series[i]);
	}
	/* Tasks are in the order of their starts: those that still run are carried along. */
	const sorted = [...times].sort((a, b) => a - b);
	let next = 0, live = [];
	run.points = sorted.map((at) => {
		while (next < tasks.length && tasks[next].start <= at)
			live.push(tasks[next++]);
		live = live.filter((task) => task.start + task.duration >= at);
		const parts = live.map((task) => [task, memoryAt(task, at - task.start)]);
		return { at, parts, sum: parts.reduce((sum, part) => sum + part[1], 0) };
	});
	run.most = run.points.reduce((most, point) => point.sum > most.sum ? point : most, run.points[0]);
	return run;
}

/* At most count points, of each stretch the largest: a thinned curve must not lose the peak. */
function thin(run, count) {
	const kept = [];
	let bucket = -1;
	for (const point of run.points) {
		const here = Math.floor(point.at / run.length * count);
		if (here !== bucket)
			kept.push(point);
		else if (point.sum > kept[kept.length - 1].sum)
			kept[kept.length - 1] = point;
		bucket = here;
	}
	return kept;
}

const colour = (task) => task && task.colour >= 0 ? "var(--c" + task.colour + ")" : "var(--other)";

/* Round steps for an axis: at most count of them up to most. */
function steps(most, count, units) {
	let unit = units.find((value) => most / value <= count) || units[units.length - 1];
	while (most / unit > count) /* beyond the table, a year 9999 among the records: never more lines than fit */
		unit *= 2;
	const all = [];
	for (let value = unit; value <= most; value += unit)
		all.push(value);
	return all;
}
const TIMES = [100, 500, 1000, 2000, 5000, 10000, 30000, 60000, 120000, 300000, 600000, 1800000, 3600000, 7200000, 21600000, 86400000];
const SIZES = [];
for (let power = 20; power < 50; power++)
	SIZES.push(2 ** power);

function timeAxis(svg, run, left, width, height) {
	for (const ms of steps(run.length, Math.max(2, width / 70), TIMES)) {
		const x = left + ms / run.length * width;
		svg.append(make("svg:line", { class: "grid", x1: x, x2: x, y1: 0, y2: height }),
			make("svg:text", { x, y: height + 14, "text-anchor": "middle" }, duration(ms).replace(".0s", "s").replace("m00s", "m")));
	}
}

function pointText(run, point) {
	const parts = [...point.parts].sort((a, b) => b[1] - a[1]).filter((part) => part[1] > 0);
	return [duration(Math.round(point.at)) + ": " + size(point.sum) + " in " + plural(parts.length, "task"),
		...parts.slice(0, 8).map(([task, bytes]) => size(bytes) + "  " + shown(task.name)),
		parts.length > 8 ? "and " + (parts.length - 8) + " more" : ""].filter(Boolean).join("\n");
}

function drawTotal(run) {
	const box = $("total"), full = Math.max(280, box.clientWidth), height = 220, left = LEFT, width = full - left - 8;
	const limitShown = data.memory > 0 && data.memory < run.most.sum * 4;
	const top = Math.max(run.most.sum, limitShown ? data.memory : 0) * 1.08 || 1;
	const x = (at) => left + at / run.length * width, y = (bytes) => height - bytes / top * height;
	const points = thin(run, Math.min(600, width));
	const svg = make("svg:svg", { viewBox: `0 0 ${full} ${height + 20}`, height: height + 20, tabindex: 0, role: "slider",
		"aria-label": "All tasks together over time; arrow keys move through it", "aria-valuemin": 0, "aria-valuemax": points.length - 1 });
	for (const bytes of steps(top, 5, SIZES))
		svg.append(make("svg:line", { class: "grid", x1: left, x2: left + width, y1: y(bytes), y2: y(bytes) }),
			make("svg:text", { x: left - 6, y: y(bytes) + 4, "text-anchor": "end" }, size(bytes).replace(".0GB", "GB")));
	timeAxis(svg, run, left, width, height);
	/* From the bottom: all others together, then the coloured ones, the largest on top. */
	let base = points.map(() => 0);
	for (const layer of [null, ...[...run.large].reverse()]) {
		const upper = points.map((point, i) => base[i] + point.parts.reduce((sum, [task, bytes]) =>
			sum + ((layer ? task === layer : task.colour < 0) ? bytes : 0), 0));
		/* Only where the layer has something, or each would be a hairline along all of the run. */
		let path = "", from = -1;
		for (let i = 0; i <= points.length; i++) {
			const has = i < points.length && upper[i] > base[i];
			if (has && from < 0)
				from = i;
			if (!has && from >= 0) {
				const up = [], down = [];
				for (let j = Math.max(0, from - 1); j <= Math.min(i, points.length - 1); j++) {
					up.push(x(points[j].at).toFixed(1) + "," + y(upper[j]).toFixed(1));
					down.unshift(x(points[j].at).toFixed(1) + "," + y(base[j]).toFixed(1));
				}
				path += "M" + up.join("L") + "L" + down.join("L") + "Z";
				from = -1;
			}
		}
		if (path)
			svg.append(make("svg:path", { d: path, fill: colour(layer), "fill-opacity": 0.85 }));
		base = upper;
	}
	svg.append(make("svg:line", { class: "grid", x1: left, x2: left + width, y1: height, y2: height }));
	if (limitShown)
		svg.append(make("svg:line", { class: "limit", x1: left, x2: left + width, y1: y(data.memory), y2: y(data.memory) }),
			make("svg:text", { class: "limit-text", x: left + 6, y: y(data.memory) - 6 },
				size(data.memory) + (data.memoryGiven ? " limit" : ", the memory of the machine that made this page")));
	const cursor = make("svg:line", { class: "cursor", y1: 0, y2: height, visibility: "hidden" });
	svg.append(cursor);
	let current = points.indexOf(run.most);
	const show = (index, say) => {
		current = Math.max(0, Math.min(points.length - 1, index));
		const point = points[current], rect = svg.getBoundingClientRect();
		cursor.setAttribute("x1", x(point.at));
		cursor.setAttribute("x2", x(point.at));
		cursor.setAttribute("visibility", say ? "visible" : "hidden");
		svg.setAttribute("aria-valuenow", current);
		svg.setAttribute("aria-valuetext", pointText(run, point));
		tip(say ? pointText(run, point) : "", rect.left + x(point.at) * rect.width / full, rect.top + 40);
	};
	show(current < 0 ? 0 : current, false);
	svg.addEventListener("pointermove", (event) => {
		const rect = svg.getBoundingClientRect();
		const at = ((event.clientX - rect.left) / rect.width * full - left) / width * run.length;
		show(points.reduce((best, point, i) => Math.abs(point.at - at) < Math.abs(points[best].at - at) ? i : best, 0), true);
	});
	svg.addEventListener("pointerleave", () => show(current, false));
	svg.addEventListener("blur", () => show(current, false));
	svg.addEventListener("keydown", (event) => {
		const by = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 20, PageDown: -20, Home: -1e9, End: 1e9 }[event.key];
		if (!by)
			return;
		event.preventDefault();
		show(current + by, true);
	});
	box.replaceChildren(svg);
}

function taskText(task) {
	const lines = [shown(task.name), peakText(task) + " after " + duration(task.peakAt),
		"from " + duration(task.start) + ", for " + duration(task.duration) + ", exit " + shown(task.exit)];
	return lines.concat(task.top.map(([command, bytes]) => size(bytes) + "  " + shown(command).slice(0, 80))).join("\n");
}

function drawLanes(run) {
	const box = $("lanes"), full = Math.max(280, box.clientWidth), left = LEFT, width = full - left - 8;
	const lane = run.lanes > 24 ? 18 : 34, height = run.lanes * lane;
	const svg = make("svg:svg", { viewBox: `0 0 ${full} ${height + 20}`, height: height + 20 });
	timeAxis(svg, run, left, width, height);
	for (let i = 0; i < run.lanes; i++)
		svg.append(make("svg:text", { x: left - 8, y: (i + 0.5) * lane + 4, "text-anchor": "end", "aria-hidden": "true" }, String(i + 1)));
	const nodes = run.tasks.map((task) => {
		const x = left + task.start / run.length * width, w = Math.max(2, task.duration / run.length * width - 1);
		const y = task.lane * lane + 2, h = lane - 4;
		const node = make("svg:g", { class: "task" + (task.failed ? " failed" : ""), tabindex: -1, role: "img", "aria-label": taskText(task) });
		node.append(make("svg:rect", { class: "back", x, y, width: w, height: h, rx: Math.min(4, w / 2), fill: colour(task) }));
		if (task.series.length >= 4 && w > 3) {
			let path = `M${x},${y + h}`;
			for (let i = 0; i < task.series.length; i += 2)
				path += `L${(x + Math.min(1, task.series[i] / (task.duration || 1)) * w).toFixed(1)},` +
					(y + h - Math.min(1, task.series[i + 1] * 1024 / (run.large[0].peak || 1)) * (h - 2)).toFixed(1);
			node.append(make("svg:path", { d: path + `L${x + w},${y + h}Z`, fill: colour(task) }));
		}
		if (w > 70 && h > 20) {
			const fits = Math.floor((w - 10) / 6.2), name = shown(task.name);
			node.append(make("svg:text", { x: x + 5, y: y + 12 }, name.length > fits ? name.slice(0, fits - 1) + "\u2026" : name));
		}
		svg.append(node);
		node.addEventListener("pointermove", (event) => tip(taskText(task), event.clientX, event.clientY));
		node.addEventListener("pointerleave", () => tip(""));
		node.addEventListener("focus", () => {
			const rect = node.getBoundingClientRect();
			tip(taskText(task), rect.left, rect.bottom);
		});
		node.addEventListener("blur", () => tip(""));
		return node;
	});
	/* One stop of the tab key for all; arrows go on from there. */
	let current = 0;
	if (nodes.length)
		nodes[0].setAttribute("tabindex", 0);
	const go = (index) => {
		if (index < 0 || index >= nodes.length)
			return;
		nodes[current].setAttribute("tabindex", -1);
		current = index;
		nodes[current].setAttribute("tabindex", 0);
		nodes[current].focus();
	};
	svg.addEventListener("keydown", (event) => {
		const here = run.tasks[current];
		/* Up and down: the task of the next lane that is nearest in time. */
		const nearest = (number) => run.tasks.reduce((best, task, i) => task.lane !== number ? best :
			best < 0 || Math.abs(task.start - here.start) < Math.abs(run.tasks[best].start - here.start) ? i : best, -1);
		const inLane = (by) => {
			let i = current + by;
			while (i >= 0 && i < nodes.length && run.tasks[i].lane !== here.lane)
				i += by;
			return i;
		};
		const to = { ArrowRight: () => inLane(1), ArrowLeft: () => inLane(-1), ArrowDown: () => nearest(here.lane + 1),
			ArrowUp: () => nearest(here.lane - 1), Home: () => 0, End: () => nodes.length - 1 }[event.key];
		if (!to)
			return;
		event.preventDefault();
		go(to());
	});
	box.replaceChildren(svg);
}

function drawRun() {
	const run = prepare(data.runs[$("run-select").selectedIndex]);
	tip("");
	drawTotal(run);
	drawLanes(run);
	const others = run.tasks.length - run.large.length;
	$("legend").replaceChildren(...run.large.map((task) => make("li", null, make("i", { style: "background:" + colour(task) }),
		shown(task.name) + " " + peakText(task))), ...(others > 0 ? [make("li", null, make("i", { style: "background:var(--other)" }),
		plural(others, "other task"))] : []));
	const failed = run.tasks.filter((task) => task.failed).length;
	$("run-note").textContent = (failed ? "Outlined in red: " + plural(failed, "failed task") + ". " : "") + "Together, the tasks held at most " + size(run.most.sum) + ", " + duration(Math.round(run.most.at)) +
		" after the start, as far as samples tell: between two samples a straight line is drawn, and pages that processes share are counted in each.";
}

/* ---- the table ---- */

const several = data.tasks.some((task) => task.runs > 1);
const columns = [
	{ title: "Task", key: (task) => task.name, text: true },
	{ title: "Peak", key: (task) => task.peak },
	{ title: "", graph: true },
	...(several ? [{ title: "Median", key: (task) => task.median }, { title: "Runs", key: (task) => task.runs }] : []),
	{ title: "Time", key: (task) => task.duration === null ? -1 : task.duration },
	{ title: "Processes", key: (task) => task.processes === null ? -1 : task.processes },
	{ title: "Exit", key: (task) => task.exit, text: true },
];
const PAGE = 500;
let order = { column: 1, down: true }, limit = PAGE;
const most = data.tasks.reduce((value, task) => Math.max(value, task.peak), 1);

function spark(history) {
	const values = history.map((point) => point[1]), high = Math.max(...values), low = Math.min(...values);
	const at = (i) => [history.length < 2 ? 50 : i / (history.length - 1) * 100, high > low ? 26 - (values[i] - low) / (high - low) * 24 : 14];
	const svg = make("svg:svg", { viewBox: "0 0 100 28", preserveAspectRatio: "none", role: "img",
		"aria-label": plural(history.length, "run") + " from " + size(low) + " to " + size(high) });
	svg.append(make("svg:path", { d: "M" + values.map((_, i) => at(i).join(",")).join("L"), "vector-effect": "non-scaling-stroke" }));
	return svg;
}

function detail(task) {
	const list = make("dl", null);
	const add = (name, ...value) => list.append(make("dt", null, name), make("dd", null, ...value));
	add("peak", peakText(task) + (task.upper !== null && task.upper > task.peak ? ", at most " + size(task.upper) : "") +
		(task.peakAt !== null ? ", " + duration(task.peakAt) + " after the start" : ""));
	add("run", when(task.start));
	if (task.measured > 1)
		add("runs", size(task.least) + " to " + size(task.peak) + ", median " + size(task.median) + " of " + task.measured);
	for (const [command, bytes] of task.top)
		add(size(bytes), shown(command));
	if (task.history.length > 2)
		add("runs in the order of the files", spark(task.history));
	return list;
}

function row(task) {
	const over = data.warn > 0 && task.peak > data.warn;
	const button = make("button", { type: "button", "aria-expanded": "false" }, shown(task.name));
	const graph = make("div", null, task.peak > 0 ? make("i", { style: `width:${task.peak / most * 100}%` }) : null);
	if (several && task.measured > 1)
		graph.append(make("u", { style: `left:${task.median / most * 100}%`, title: "median" }));
	const cells = [make("td", null, button), make("td", { class: "peak" }, peakText(task)), make("td", { class: "graph" }, graph)];
	if (several)
		cells.push(make("td", null, size(task.median)), make("td", null, String(task.runs)));
	cells.push(make("td", null, duration(task.duration)), make("td", null, task.processes === null ? "\u2013" : String(task.processes)),
		make("td", { class: task.failed ? "failed-text" : null }, shown(task.exit)));
	const line = make("tr", { class: over ? "over" : null }, ...cells);
	button.addEventListener("click", () => {
		const open = button.getAttribute("aria-expanded") === "true";
		button.setAttribute("aria-expanded", String(!open));
		if (open)
			line.nextSibling.remove();
		else
			line.after(make("tr", { class: "detail" }, make("td", { colspan: columns.length }, detail(task))));
	});
	return line;
}

function drawRows() {
	const words = $("search").value.toLowerCase().split(/\s+/).filter(Boolean);
	const found = data.tasks.filter((task) => words.every((word) => task.name.toLowerCase().includes(word)));
	const { key, text } = columns[order.column], sign = order.down ? -1 : 1;
	found.sort((a, b) => (text ? key(a).localeCompare(key(b), undefined, { numeric: true }) : key(a) - key(b)) * sign ||
		a.name.localeCompare(b.name));
	$("rows").replaceChildren(...found.slice(0, limit).map(row));
	$("found").textContent = words.length ? plural(found.length, "task") + " found" : plural(found.length, "task");
	$("more").hidden = found.length <= limit;
	$("more").textContent = "Show all " + found.length;
}

function drawHeads() {
	$("heads").replaceChildren(...columns.map((column, i) => {
		if (column.graph)
			return make("td", null);
		const button = make("button", { type: "button" }, column.title);
		button.addEventListener("click", () => {
			order = { column: i, down: order.column === i ? !order.down : !column.text };
			drawHeads();
			drawRows();
			$("heads").children[i].firstChild.focus();
		});
		return make("th", { scope: "col", "aria-sort": order.column === i ? (order.down ? "descending" : "ascending") : "none" }, button);
	}));
}

/* ---- the page ---- */

function figure(value, text, bad) {
	return make("div", { class: "figure" + (bad ? " bad" : "") }, make("b", null, value), make("span", null, text));
}

function drawFigures() {
	const largest = data.tasks.reduce((best, task) => !best || task.peak > best.peak ? task : best, null);
	const failed = data.tasks.filter((task) => task.failed).length, oom = data.tasks.filter((task) => task.oom).length;
	const over = data.tasks.filter((task) => data.warn > 0 && task.peak > data.warn).length;
	if (largest)
		$("figures").append(figure(peakText(largest), "largest: " + shown(largest.name)));
	if (data.runs.length) {
		const run = prepare(data.runs[0]), share = Math.round(run.most.sum / data.memory * 100);
		$("figures").append(figure(size(run.most.sum), "all tasks of the last run together" +
			(data.memory > 0 ? ": " + share + "\u00a0% of " + size(data.memory) : ""), data.memory > 0 && run.most.sum > data.memory));
		$("figures").append(figure(String(run.lanes), run.lanes === 1 ? "task at a time in the last run" : "tasks at once in the last run"));
	}
	if (data.warn > 0 && largest)
		$("figures").append(figure(String(over), (over === 1 ? "task" : "tasks") + " above " + size(data.warn), over > 0));
	if (failed > 0)
		$("figures").append(figure(String(failed), (failed === 1 ? "task" : "tasks") + " whose largest run failed" + (oom ? ", " + oom + " killed for want of memory" : ""), true));
}

$("scope").textContent = [plural(data.tasks.length, "task"), plural(data.runCount, "run"), plural(data.records, "record"),
	data.bad ? plural(data.bad, "unreadable line") + " skipped" : "", data.more ? data.more + " more left out" : "",
	"heaplog " + data.heaplog].filter(Boolean).join(" \u00b7 ");
$("tasks-note").textContent = data.tasks.length === 0 ? "No task ran: all came from the cache, or none was recorded." : (several ? "A row is the task's run with the largest peak; the mark in its bar is the median of its runs. " : "") +
	"A peak is the largest sum that was seen of what all processes of the task held at once: a lower bound.";
drawFigures();
drawHeads();
drawRows();
$("search").addEventListener("input", () => { limit = PAGE; drawRows(); });
$("more").addEventListener("click", () => { limit = Infinity; drawRows(); });
if (data.runs.length) {
	$("run").hidden = false;
	$("run-label").hidden = data.runs.length < 2;
	$("run-select").append(...data.runs.map((run) => make("option", null, when(run.start) + ", " + plural(run.tasks.length, "task"))));
	$("run-select").addEventListener("change", drawRun);
	let width = 0;
	new ResizeObserver(() => {
		if ($("run").clientWidth !== width) {
			width = $("run").clientWidth;
			drawRun();
		}
	}).observe($("run"));
}
