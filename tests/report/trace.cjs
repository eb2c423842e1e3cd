// Open a trace in Perfetto's own pages and ask its engine what it read.
"use strict";
const assert = require("node:assert");
const fs = require("node:fs");
const http = require("node:http");
const path = require("node:path");
const { chromium } = require("playwright-core");
const [site, picture] = process.argv.slice(2);
const types = { ".html": "text/html", ".js": "text/javascript", ".wasm": "application/wasm", ".css": "text/css", ".json": "application/json" };

const server = http.createServer((request, response) => {
	const name = path.join(site, path.normalize(new URL(request.url, "http://x").pathname).replace(/\/$/, "/index.html"));
	fs.readFile(name, (error, content) => {
		response.writeHead(error ? 404 : 200, { "Content-Type": types[path.extname(name)] || "application/octet-stream" });
		response.end(content);
	});
});

server.listen(0, "127.0.0.1", async () => {
	const origin = `http://127.0.0.1:${server.address().port}`;
	const browser = await chromium.launch({ executablePath: "/usr/bin/chromium",
		args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"] });
	let status = 1;
	try {
		const page = await browser.newPage({ viewport: { width: 1400, height: 700 } });
		await page.goto(`${origin}/#!/viewer?url=${origin}/trace.json`);
		await page.waitForFunction(() => self.app && app.trace && app.trace.engine, null, { timeout: 60000 });
		const ask = (sql) => page.evaluate(async (sql) => {
			const rows = [];
			const result = await app.trace.engine.query(sql);
			for (const row = result.iter({}); row.valid(); row.next())
				rows.push(result.columns().map((column) => String(row.get(column))));
			return rows;
		}, sql);
		assert.deepStrictEqual(await ask("select name, value from stats where severity = 'error' and value > 0"), []);
		// Nx's own event and ours of the same task begin at the same time.
		const builds = await ask("select ts, name from slice where name = '@acme/web-1:build'");
		assert.strictEqual(builds.length, 2);
		assert.strictEqual(builds[0][0], builds[1][0]);
		assert.deepStrictEqual(await ask("select count(*) from slice"), [["6"]]);
		assert.deepStrictEqual(await ask("select count(distinct track_id) from counter"), [["5"]]);
		await page.waitForTimeout(1000); // for the picture alone
		await page.screenshot({ path: picture });
		console.log("1 passed, 0 failed: Perfetto reads six tasks and five curves of memory, without an error");
		status = 0;
	} catch (error) {
		console.log(`0 passed, 1 failed: ${error.message}`);
	}
	await browser.close();
	server.close();
	process.exit(status);
});
