// What a reader does with the page, by keyboard and by eye. Any error on the page and any request to a network fails.
"use strict";
const assert = require("node:assert");
const { chromium } = require("playwright-core");
const directory = process.argv[2];
const flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
	"--disable-component-update", "--disable-sync"];
let passed = 0, failed = 0;

async function check(name, body) {
	try {
		await body();
		passed++;
	} catch (error) {
		failed++;
		console.log(`FAILED: ${name}: ${error.message}`);
	}
}

// Contrast of text against its background, as WCAG 2 counts it.
function contrast(a, b) {
	const light = (colour) => {
		const [r, g, b] = colour.match(/[\d.]+/g).slice(0, 3).map((c) => (c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
		return 0.2126 * r + 0.7152 * g + 0.0722 * b;
	};
	const [x, y] = [light(a), light(b)].sort((p, q) => q - p);
	return (x + 0.05) / (y + 0.05);
}

(async () => {
	const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: flags });
	const open = async (name, width = 1280, colorScheme = "light") => {
		const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme });
		page.errors = [];
		page.on("pageerror", (error) => page.errors.push(String(error)));
		page.on("console", (message) => message.type() === "error" && page.errors.push(message.text()));
		page.on("request", (request) => request.url().startsWith("file:") || request.url().startsWith("data:") || page.errors.push(request.url()));
		page.on("dialog", (dialog) => { page.errors.push("a dialog"); dialog.dismiss(); });
		await page.goto(`file://${directory}/${name}.html`);
		await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
		return page;
	};

	for (const name of ["0", "5", "500", "hostile", "far"])
		for (const width of [360, 800, 1440])
			for (const scheme of ["light", "dark"])
				await check(`${name} tasks, ${width} px, ${scheme}`, async () => {
					const page = await open(name, width, scheme);
					assert.deepStrictEqual(page.errors, []);
					const wide = await page.evaluate(() => document.documentElement.scrollWidth);
					assert.ok(wide <= width, `the page is ${wide} px wide`);
					// Nothing sticks out of its card but what scrolls in it.
					const out = await page.evaluate(() => [...document.querySelectorAll("main > section *")].filter((node) =>
						!node.closest(".scroll") && !node.closest("svg") && node.getBoundingClientRect().right > innerWidth + 1).length);
					assert.strictEqual(out, 0);
					for (const selector of ["h1", ".note", "th button", "td button", "#figures span"]) {
						const pair = await page.evaluate((selector) => {
							const node = document.querySelector(selector);
							if (!node || !node.offsetParent)
								return null;
							let ground = node;
							while (ground && /rgba\(0, 0, 0, 0\)/.test(getComputedStyle(ground).backgroundColor))
								ground = ground.parentElement;
							return [getComputedStyle(node).color, getComputedStyle(ground || document.documentElement).backgroundColor];
						}, selector);
						assert.ok(!pair || contrast(...pair) >= 4.5, `${selector}: contrast ${pair && contrast(...pair).toFixed(2)}`);
					}
					await page.screenshot({ path: `${directory}/${name}-${width}-${scheme}.png`, fullPage: name !== "500" });
					await page.close();
				});

	await check("rows, search, sorting", async () => {
		const page = await open("500");
		assert.strictEqual(await page.locator("#rows tr").count(), 500);
		assert.match(await page.locator("#found").textContent(), /500 tasks/);
		await page.keyboard.press("Tab"); // the skip link comes first
		assert.strictEqual(await page.evaluate(() => document.activeElement.className), "skip");
		await page.fill("#search", "web build");
		const found = await page.locator("#rows tr").count();
		assert.ok(found > 0 && found < 500);
		for (const text of await page.locator("#rows td:first-child").allTextContents())
			assert.ok(text.includes("web") && text.includes("build"));
		await page.fill("#search", "");
		const size = (text) => parseFloat(text) * { K: 1, M: 1024, G: 1048576 }[text.match(/[KMG]/)[0]];
		const peaks = (await page.locator("#rows td.peak").allTextContents()).map(size);
		assert.deepStrictEqual(peaks, [...peaks].sort((a, b) => b - a));
		await page.locator("th button", { hasText: "Task" }).focus();
		await page.keyboard.press("Enter");
		assert.strictEqual(await page.locator("th", { hasText: "Task" }).getAttribute("aria-sort"), "ascending");
		assert.strictEqual(await page.evaluate(() => document.activeElement.textContent), "Task"); // the focus stays
		const names = await page.locator("#rows td:first-child").allTextContents();
		assert.deepStrictEqual(names.slice(0, 2), ["@acme/admin-5:build", "@acme/admin-5:e2e"]);
		await page.close();
	});

	await check("details of a task by keyboard", async () => {
		const page = await open("5");
		await page.locator("#rows button").first().focus();
		await page.keyboard.press("Enter");
		assert.strictEqual(await page.locator("#rows button").first().getAttribute("aria-expanded"), "true");
		assert.match(await page.locator("tr.detail").textContent(), /after the start/);
		await page.keyboard.press("Enter");
		assert.strictEqual(await page.locator("tr.detail").count(), 0);
		await page.close();
	});

	await check("the charts by keyboard", async () => {
		const page = await open("5");
		const total = page.locator("#total svg");
		const data = JSON.parse(await page.locator("#data").textContent());
		const largest = Math.max(...data.tasks.map((task) => task.peak));
		assert.match(await total.getAttribute("aria-valuetext"), /MB in \d tasks/); // it begins at the peak
		await total.focus();
		await page.keyboard.press("Home");
		assert.strictEqual(await total.getAttribute("aria-valuenow"), "0");
		await page.keyboard.press("ArrowRight");
		assert.strictEqual(await total.getAttribute("aria-valuenow"), "1");
		assert.ok(await page.locator("#tip").isVisible());
		await page.keyboard.press("Escape");
		assert.ok(!await page.locator("#tip").isVisible());
		assert.strictEqual(await page.locator("#lanes g.task").count(), 5);
		assert.strictEqual(await page.locator("#lanes g.task[tabindex='0']").count(), 1);
		await page.locator("#lanes g.task[tabindex='0']").focus();
		await page.keyboard.press("ArrowDown");
		const label = await page.evaluate(() => document.activeElement.getAttribute("aria-label"));
		assert.match(label, /after .*\nfrom .*exit 0/);
		assert.match(await page.locator("#figures").textContent(), new RegExp(Math.round(largest / 1048576) + "MB"));
		await page.close();
	});

	await check("another run", async () => {
		const page = await open("500");
		const before = await page.locator("#run-note").textContent();
		await page.locator("#run-select").selectOption({ index: 2 });
		assert.notStrictEqual(await page.locator("#run-note").textContent(), before);
		await page.close();
	});

	// The sum that the page draws, against adding up by brute force at every millisecond.
	await check("the stacked total is the sum", async () => {
		const page = await open("5");
		const [drawn, counted] = await page.evaluate(() => {
			const run = prepare(data.runs[0]);
			let most = 0;
			for (let at = 0; at <= run.length; at++) {
				let sum = 0;
				for (const task of run.tasks) {
					const ms = at - task.start, s = task.series;
					for (let i = 0; i + 2 < s.length; i += 2)
						if (ms >= s[i] && ms <= s[i + 2] && ms <= task.duration) {
							sum += 1024 * (s[i + 1] + (s[i + 3] - s[i + 1]) * (ms - s[i]) / (s[i + 2] - s[i]));
							break;
						}
				}
				most = Math.max(most, sum);
			}
			return [run.most.sum, most];
		});
		assert.ok(Math.abs(drawn - counted) < counted / 1000, `${drawn} drawn, ${counted} counted`);
		await page.close();
	});

	await check("hostile names stay text", async () => {
		const page = await open("hostile");
		assert.deepStrictEqual(page.errors, []);
		assert.strictEqual(await page.locator("main img, main b i, main i i").count(), 0);
		await page.locator("#rows button").first().click();
		const text = await page.locator("#rows").textContent();
		assert.ok(text.includes("</script><img src=x onerror=alert(1)>\\u2028\\u202e\\u001b[31m\"'&amp;"), text);
		await page.close();
	});

	await browser.close();
	console.log(`${passed} passed, ${failed} failed`);
	process.exit(failed ? 1 : 0);
})();
